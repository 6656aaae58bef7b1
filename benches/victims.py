"""The victims of against_pytorch.py in PyTorch, with gia-gpu's names of parameters, untrained. Each takes normalised pictures
(B,3,S,S) and gives logits (B,10); S is 32, or the function's `side`.

The standard ones are the networks of the test fixtures, and in gia-gpu's registry. Those in EXPORTED are torchvision's, which
gia-gpu reads from a file of torch.export (`--model`)."""

import sys
from pathlib import Path

import torch
import torchvision
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests/fixtures"))
from networks import build  # noqa: E402

CLASSES = 10
IMAGE = (3, 32, 32)


def lenet_zhu():
    model = build("lenet-zhu", "", IMAGE, CLASSES)
    [nn.init.uniform_(p, -0.5, 0.5) for p in model.parameters()]
    return model


def convnet64():
    return build("convnet64", "", IMAGE, CLASSES)


def resnet18():
    model = build("resnet18", "stem=cifar", IMAGE, CLASSES)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model


def resnet20():
    model = build("resnet20", "", IMAGE, CLASSES)
    # The last layer keeps PyTorch's own: larger weights would saturate the softmax, and what is left of the gradient
    # then, 1 − p, has few digits in f32.
    [nn.init.kaiming_normal_(m.weight) for m in model.modules() if isinstance(m, nn.Conv2d)]
    return model


def measured(model, side):
    """Running statistics as a round of training leaves them: with those of an untrained network nothing gets through."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(32, 3, side, side))
    for layer in norms:
        layer.momentum = 0.1
    return model.eval()


def mobilenet_v2():
    return measured(torchvision.models.mobilenet_v2(num_classes=CLASSES), mobilenet_v2.side)


def convnext_tiny():
    model = torchvision.models.convnext_tiny(num_classes=CLASSES)
    # At its first 1e-6 every block is the identity.
    [nn.init.constant_(p, 0.1) for name, p in model.named_parameters() if name.endswith("layer_scale")]
    return model


def vit():
    """Patches of 4 × 4: 64 of them and a class token, 12 layers of 3 heads and 192 channels."""
    sizes = {"num_layers": 12, "num_heads": 3, "hidden_dim": 192, "mlp_dim": 768}
    model = torchvision.models.VisionTransformer(image_size=vit.side, patch_size=4, num_classes=CLASSES, **sizes)
    nn.init.normal_(model.heads.head.weight, std=0.02)
    return model


mobilenet_v2.side = convnext_tiny.side = 64
vit.side = 32

VICTIMS = {"lenet-zhu": lenet_zhu, "convnet64": convnet64, "resnet18": resnet18, "resnet20": resnet20}
EXPORTED = {"mobilenet_v2": mobilenet_v2, "convnext_tiny": convnext_tiny, "vit": vit}
VICTIMS |= EXPORTED


def exported(victim, folder):
    """The victim as a file that gia-gpu reads; weights come from elsewhere."""
    path = Path(folder) / f"{victim}.pt2"
    if not path.exists():
        build = EXPORTED[victim]
        shapes = ({0: torch.export.Dim.DYNAMIC},)
        sample = (torch.zeros(2, 3, build.side, build.side),)
        torch.export.save(torch.export.export(build().eval(), sample, dynamic_shapes=shapes), path)
    return path
