"""A model that gia-gpu trained, loaded into torchvision: the logits must be the same.

    python check_trained.py WEIGHTS.safetensors LOGITS.safetensors DATA

LOGITS holds what `gia-gpu evaluate --logits` computed for the pictures in the folder DATA, class by class.
"""

import glob
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.models import resnet18

BOUND = 1e-4
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]

if __name__ == "__main__":
    weights, found = map(load_file, sys.argv[1:3])
    pictures = np.stack([np.asarray(Image.open(path)) for path in sorted(glob.glob(f"{sys.argv[3]}/*/*.png"))])
    x = torch.tensor(pictures).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    model = resnet18(num_classes=found["logits"].shape[1])
    model.load_state_dict(weights, strict=True)
    model.eval()
    with torch.no_grad():
        logits = model(x)
    difference = ((logits - found["logits"]).norm() / logits.norm()).item()
    print(f"{len(logits)} pictures, relative difference of the logits {difference:.1e}")
    assert difference < BOUND, f"expected below {BOUND}"
