"""The standard victims of against_pytorch.py in PyTorch, with gia-gpu's names of parameters, untrained: the networks of
the test fixtures. Each takes normalised pictures (B,3,32,32) and gives logits (B,10)."""

import sys
from pathlib import Path

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


VICTIMS = {"lenet-zhu": lenet_zhu, "convnet64": convnet64, "resnet18": resnet18, "resnet20": resnet20}
