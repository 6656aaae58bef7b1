"""Save a PyTorch model's gradient for gia-gpu.

    python pytorch_gradient.py OUTDIR

A torchvision ResNet-18 takes one training step on eight random pictures. OUTDIR gets the model
(weights.safetensors), the step's gradient (gradient.safetensors), the pictures and their labels. In your own
training loop, the three lines after `loss.backward()` are all you need.
"""

import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import resnet18

BATCH, CLASSES, SIDE = 8, 10, 32
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


def main(out):
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(1)
    model = resnet18(num_classes=CLASSES).eval()  # .train() for batch statistics: then give --mode train
    pixels = np.random.default_rng(1).integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    labels = torch.tensor([3, 5, 5, 0, 9, 2, 2, 2])

    x = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    loss = F.cross_entropy(model(x), labels)
    loss.backward()

    # These lines are what your own training loop needs.
    gradient = {name: p.grad.contiguous() for name, p in model.named_parameters()}
    save_file(gradient, f"{out}/gradient.safetensors")
    save_file(model.state_dict(), f"{out}/weights.safetensors")

    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(f"{out}/{i}.png")
    with open(f"{out}/labels.txt", "w") as f:
        f.write(",".join(str(int(label)) for label in labels))


if __name__ == "__main__":
    main(sys.argv[1])
