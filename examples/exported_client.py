"""A client of PyTorch whose network gia-gpu does not know: the network as a file, and the gradient of one training step.

    python exported_client.py OUTDIR NETWORK PICTURE…

NETWORK is mobilenet_v2 (torchvision's), vit (torchvision's VisionTransformer with patches of 4×4) or custom (below), untrained.
Each PICTURE is an image file of the network's size whose label is its place, modulo 10. OUTDIR gets network.pt2 and
gradient.safetensors, for

    gia-gpu invert --model OUTDIR/network.pt2 --gradient OUTDIR/gradient.safetensors --batch N --out FOUND
"""

import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
CLASSES = 10


class Custom(nn.Module):
    """As users write them: group norm, a skip, dropout."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, padding=2)
        self.norm = nn.GroupNorm(8, 32)
        self.down = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.same = nn.Conv2d(64, 64, 3, padding=1)
        self.norms = nn.ModuleList([nn.GroupNorm(8, 64), nn.GroupNorm(8, 64)])
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(64 * 4 * 4, CLASSES)

    def forward(self, x):
        x = F.silu(self.norm(self.stem(x)))
        x = F.silu(self.norms[0](self.down(x)))
        x = x + F.silu(self.norms[1](self.same(x)))
        x = F.relu(F.avg_pool2d(x, 4))
        return self.head(self.drop(x.flatten(1)))


def vit():
    sizes = {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "mlp_dim": 256}
    model = torchvision.models.VisionTransformer(image_size=32, patch_size=4, num_classes=CLASSES, **sizes)
    nn.init.normal_(model.heads.head.weight, std=0.02)
    return model


NETWORKS = {
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(num_classes=CLASSES), 32),
    "vit": (vit, 32),
    "custom": (Custom, 32),
}


def main(out, name, *pictures):
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(1)
    make, side = NETWORKS[name]
    # Eval mode: gia-gpu leaves dropout out, and takes batch statistics if it is told so (--mode train).
    model = make().eval()
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(model, (torch.zeros(2, 3, side, side),), dynamic_shapes=dynamic)
    torch.export.save(program, f"{out}/network.pt2")

    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in pictures])
    x = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    labels = torch.arange(len(pictures)) % CLASSES
    F.cross_entropy(model(x), labels).backward()
    save_file({name: p.grad.contiguous() for name, p in model.named_parameters()}, f"{out}/gradient.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
