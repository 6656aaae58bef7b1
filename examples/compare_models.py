"""Gradients that `gia-gpu capture --model` writes against PyTorch's own, of whole networks with random weights.

    python compare_models.py GIA_GPU [NAME…]

Networks of torchvision, and the ViT and ConvNeXt of transformers; eval mode, and train mode where there is a batch norm.
Dropout and stochastic depth are off on both sides. PyTorch's gradient in f64 is the measure. Fails where one in f32 is off by
more than 1e-4 of its norm, unless PyTorch's own in f32 is off nearly as much: deep networks in train mode are that rough.
"""

import copy

import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import nn

LIMIT = 1e-4
# How many times PyTorch's own error is still rounding and no mistake.
MARGIN = 5
BATCH = 3


def without_noise(model):
    for layer in model.modules():
        if isinstance(layer, nn.Dropout) or type(layer).__name__ == "StochasticDepth":
            layer.p = 0.0
        if isinstance(layer, nn.MultiheadAttention):
            layer.dropout = 0.0
    return model


class Logits(nn.Module):
    """What a classifier of transformers computes, without the dictionary around it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(pixel_values=x).logits


def transformers_vit():
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(hidden_size=96, num_hidden_layers=3, num_attention_heads=3, intermediate_size=192,
                       image_size=32, patch_size=4, num_labels=10)
    return Logits(ViTForImageClassification(config))


def transformers_convnext():
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[24, 32, 48, 64], depths=[1, 1, 2, 1], image_size=64, num_labels=10)
    return Logits(ConvNextForImageClassification(config))


MODELS = torchvision.models
NETWORKS = {
    "resnet18": (lambda: MODELS.resnet18(num_classes=10), 64),
    "vgg11_bn": (lambda: MODELS.vgg11_bn(num_classes=10), 32),
    "mobilenet_v2": (lambda: MODELS.mobilenet_v2(num_classes=10), 64),
    "mobilenet_v3_small": (lambda: MODELS.mobilenet_v3_small(num_classes=10), 64),
    "densenet121": (lambda: MODELS.densenet121(num_classes=10), 64),
    "efficientnet_b0": (lambda: MODELS.efficientnet_b0(num_classes=10), 64),
    "convnext_tiny": (lambda: MODELS.convnext_tiny(num_classes=10), 64),
    "vit_b_16": (lambda: MODELS.vit_b_16(num_classes=10), 224),
    "shufflenet_v2_x1_0": (lambda: MODELS.shufflenet_v2_x1_0(num_classes=10), 64),
    "regnet_y_400mf": (lambda: MODELS.regnet_y_400mf(num_classes=10), 64),
    "transformers_vit": (transformers_vit, 32),
    "transformers_convnext": (transformers_convnext, 64),
}


def one(program, name, folder):
    torch.manual_seed(7)
    make, side = NETWORKS[name]
    model = without_noise(make())
    # torchvision starts the ViT's head at 0, where every other gradient is 0, too.
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    path = os.path.join(folder, f"{name}.pt2")
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(torch.export.export(model.eval(), (torch.zeros(2, 3, side, side),), dynamic_shapes=dynamic), path)

    pixels = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8)
    pictures = [os.path.join(folder, f"{i}.png") for i in range(BATCH)]
    for picture, file in zip(pixels, pictures):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    normed = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    for mode in ("eval", "train") if normed else ("eval",):
        out = os.path.join(folder, "gradient.safetensors")
        subprocess.run(
            [program, "-q", "capture", "--model", path, "--images", *pictures, "--labels", "3,5,5", "--mode", mode,
             "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--device", "cpu", "--out", out],
            check=True,
        )
        gradient, rough = (gradient_of(model, mode, pixels, dtype) for dtype in (torch.double, torch.float))
        found = load_file(out)
        names = [n for n, _ in model.named_parameters()]
        assert sorted(found) == sorted(names), f"{name}: other names"
        whole = torch.cat([g.flatten() for g in gradient]).norm()
        # Below this share of the whole a gradient is rounding, as that of a bias before a batch norm.
        off = lambda a, b: ((a.double() - b).norm() / max(b.norm(), 1e-6 * whole)).item()
        own = max(off(a, b) for a, b in zip(rough, gradient))
        worst = 0.0
        for tensor, expected in zip(names, gradient):
            error = off(found[tensor], expected)
            if error > max(LIMIT, MARGIN * own):
                sys.exit(f"{name}, {mode}: the gradient of {tensor} is off by {error:.1e}, PyTorch's f32 by {own:.1e}")
            worst = max(worst, error)
        print(f"{name}, {mode}: {len(names)} tensors, at most {worst:.1e} off; PyTorch's f32 {own:.1e}", flush=True)


def gradient_of(model, mode, pixels, dtype):
    model = copy.deepcopy(model).to(dtype).train(mode == "train")
    x = ((pixels.double() / 255 - 0.5) / 0.25).to(dtype)
    loss = F.cross_entropy(model(x), torch.tensor([3, 5, 5]))
    return torch.autograd.grad(loss, list(model.parameters()))


if __name__ == "__main__":
    for name in sys.argv[2:] or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            one(sys.argv[1], name, folder)
