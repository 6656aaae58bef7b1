"""A model that gia-gpu trained, loaded into torchvision: the logits must be the same.

    python check_trained.py WEIGHTS.safetensors LOGITS.safetensors

LOGITS holds what `gia-gpu evaluate --logits` computed: inputs (N,3,32,32), normalised, and logits (N,K).
"""

import sys

import torch
from safetensors.torch import load_file
from torchvision.models import resnet18

BOUND = 1e-4

if __name__ == "__main__":
    weights, found = map(load_file, sys.argv[1:3])
    model = resnet18(num_classes=found["logits"].shape[1]).eval()
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        logits = model(found["inputs"])
    difference = ((logits - found["logits"]).norm() / logits.norm()).item()
    print(f"{len(logits)} pictures, relative difference of the logits {difference:.1e}")
    assert difference < BOUND, f"expected below {BOUND}"
