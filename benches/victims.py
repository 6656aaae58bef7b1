"""The standard victims of against_pytorch.py in PyTorch, with gia-gpu's names of parameters, untrained. Each takes
normalised pictures (B,3,32,32) and gives logits (B,10)."""

import torch.nn.functional as F
import torchvision
from torch import nn

CLASSES = 10


class LeNetZhu(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for before, stride in zip([3, 12, 12], [2, 2, 1]):
            layers += [nn.Conv2d(before, 12, 5, stride, 2), nn.Sigmoid()]
        self.body = nn.Sequential(*layers)
        self.fc = nn.Sequential(nn.Linear(768, CLASSES))
        for p in self.parameters():
            nn.init.uniform_(p, -0.5, 0.5)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


class ConvNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.model = nn.Sequential()
        before = 3
        for i, multiple in enumerate([1, 2, 2, 4, 4, 4, 4, 4]):
            self.model.add_module(f"conv{i}", nn.Conv2d(before, multiple * width, 3, padding=1))
            before = multiple * width
            self.model.add_module(f"bn{i}", nn.BatchNorm2d(before))
            self.model.add_module(f"relu{i}", nn.ReLU())
            if i in (5, 7):
                self.model.add_module(f"pool{i}", nn.MaxPool2d(3))
        self.model.add_module("flatten", nn.Flatten())
        self.model.add_module("linear", nn.Linear(36 * width, CLASSES))

    def forward(self, x):
        return self.model(x)


class Block(nn.Module):
    """Of CIFAR's ResNets, shortcuts without parameters."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.new = stride, (width - before) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.new, self.new))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        before = 16
        for stage, width in enumerate([16, 32, 64]):
            strides = [2 if stage > 0 and block == 0 else 1 for block in range(blocks)]
            layer = nn.Sequential(*(Block(before if b == 0 else width, width, s) for b, s in enumerate(strides)))
            self.add_module(f"layer{stage + 1}", layer)
            before = width
        self.linear = nn.Linear(64, CLASSES)
        for module in self.modules():
            # The last layer keeps PyTorch's own: larger weights would saturate the softmax, and what is left of
            # the gradient then, 1 − p, has few digits in f32.
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(y))).mean((2, 3)))


def lenet_zhu():
    return LeNetZhu()


def convnet64():
    return ConvNet(64)


def resnet18():
    model = torchvision.models.resnet18(num_classes=CLASSES)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model


def resnet20():
    return CifarResNet(3)


VICTIMS = {"lenet-zhu": lenet_zhu, "convnet64": convnet64, "resnet18": resnet18, "resnet20": resnet20}
