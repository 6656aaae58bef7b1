"""A network of your own as a file that `gia-gpu --model` takes. Replace the first line of three by your model.

    python export_model.py network.pt2

PyTorch 2.8 or later; of an earlier one, from 2.6 on, gia-gpu reads the graph and wants the weights beside it:
`safetensors.torch.save_file(model.state_dict(), "weights.safetensors")` and `--weights weights.safetensors`. The batch is exported as a name, so that nothing can take its size for another; any mode will do, for
gia-gpu asks `--mode` what batch norm is to do. The parameters keep their names.
"""

import sys

import torch
import torchvision

model = torchvision.models.mobilenet_v2(num_classes=10)
program = torch.export.export(model, (torch.zeros(2, 3, 32, 32),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
torch.export.save(program, sys.argv[1] if len(sys.argv) > 1 else "network.pt2")
