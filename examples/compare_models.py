"""Whole networks with random weights against PyTorch: logits, the gradient of every parameter, and the derivatives by the pictures
of two matching losses (squared distance and cosine).

    python compare_models.py GIA_GPU NUMBERS [NAME…]

NUMBERS is the example network_numbers. Networks of torchvision, and the ViT and ConvNeXt of transformers, from `.pt2` and from ONNX;
eval mode, and train mode where there is a batch norm. Dropout and stochastic depth are off on both sides.

The measure is PyTorch in f64, and everything must be within 1e-4 of it: f64, the CPU device's f32, the GPU's, and what
`gia-gpu capture` writes of the pictures' files. What is computed of the ONNX file must be within 1e-6 of what is computed of the other,
both in f64.

f64 must agree at once. In f32 it depends on the pictures: where a ReLU's input is so near to 0, or two numbers of a pooling window so
near to each other, that f32 cannot say which side it is on, the gradient jumps, and no two ways of computing need agree. A deep
network has a million such places. So pictures are drawn, at most DRAWS times, until each device has agreed at one draw: what is wrong,
or imprecise, agrees at none. How far PyTorch's own f32 is off at each draw is printed beside it.
"""

import contextlib
import copy
import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

LIMIT = 1e-4
# Between two files of one network, in f64.
SAME = 1e-6
DRAWS = 200
# Pictures of a draw, in turn. A batch norm in train mode over a few numbers magnifies rounding.
BATCHES = {"eval": (1, 2), "train": (2, 4)}
LABELS = [3, 5, 7, 1]
# A gradient that is a smaller share of the whole is measured against that share. In f64 this is for gradients that are 0 but for
# rounding, as that of a bias before a batch norm. In f32 it makes the limit f32's own unit of rounding of the whole.
SHARE = {torch.double: 1e-6, torch.float: 1e-3}
# Whose pooling or mean the newer ONNX exporter writes as gathers of single numbers.
OLDER = ("vgg11_bn, 224×224", "convnext_tiny", "transformers_convnext", "swin_t")
# Pools one place to 49, which no exporter writes as that.
NO_ONNX = ("vgg11_bn", "vgg11_bn, 256 hidden")
# A matrix of its classifier takes 411 MB. Software Vulkan binds 128 MiB at most, so there the classifier is a narrower one.
NO_GPU = ("vgg11_bn",)
# Among its many pooling windows are some whose two largest values f32 cannot tell apart, so it is compared in f64 alone.
EXACT_ALONE = ("vgg11_bn, 224×224",)

# PyTorch's fused attention has no second derivative.
torch.backends.cuda.enable_flash_sdp(False)


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


def narrow_vgg():
    model = MODELS.vgg11_bn(num_classes=10)
    model.classifier[0], model.classifier[3] = nn.Linear(25088, 256), nn.Linear(256, 256)
    model.classifier[6] = nn.Linear(256, 10)
    return model


MODELS = torchvision.models
NETWORKS = {
    "resnet18": (lambda: MODELS.resnet18(num_classes=10), 64),
    "vgg11_bn": (lambda: MODELS.vgg11_bn(num_classes=10), 32),
    "vgg11_bn, 256 hidden": (narrow_vgg, 32),
    "vgg11_bn, 224×224": (lambda: MODELS.vgg11_bn(num_classes=10), 224),
    "mobilenet_v2": (lambda: MODELS.mobilenet_v2(num_classes=10), 64),
    "mobilenet_v3_small": (lambda: MODELS.mobilenet_v3_small(num_classes=10), 64),
    "densenet121": (lambda: MODELS.densenet121(num_classes=10), 64),
    "efficientnet_b0": (lambda: MODELS.efficientnet_b0(num_classes=10), 64),
    "convnext_tiny": (lambda: MODELS.convnext_tiny(num_classes=10), 64),
    "vit_b_16": (lambda: MODELS.vit_b_16(num_classes=10), 224),
    "swin_t": (lambda: MODELS.swin_t(num_classes=10), 64),
    "shufflenet_v2_x1_0": (lambda: MODELS.shufflenet_v2_x1_0(num_classes=10), 64),
    "regnet_y_400mf": (lambda: MODELS.regnet_y_400mf(num_classes=10), 64),
    "transformers_vit": (transformers_vit, 32),
    "transformers_convnext": (transformers_convnext, 64),
}


HARDSIGMOID = F.hardsigmoid


def export(model, side, folder, name):
    """The network as .pt2, and as .onnx where PyTorch can write it."""
    shapes = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(model.eval(), (torch.zeros(2, 3, side, side),), dynamic_shapes=shapes)
    paths = [os.path.join(folder, f"network.{kind}") for kind in ("pt2", "onnx")]
    torch.export.save(program, paths[0])
    if name in NO_ONNX:
        return [paths[0], None]
    x = (torch.zeros(2, 3, side, side),)
    if name in OLDER:
        options = {"dynamo": False, "training": torch.onnx.TrainingMode.TRAINING}
    else:
        options = {"dynamo": True, "optimize": False, "external_data": False, "verbose": False}
    # The older exporter runs the network in train mode, which moves its running statistics.
    still = copy.deepcopy(model)
    for layer in still.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 0.0
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        torch.onnx.export(still, x, paths[1], do_constant_folding=False, **options)
    return paths


def compare(found, exact, dtype):
    """Of logits, gradients and slopes the largest difference of a tensor, of its norm in `exact`."""
    whole = torch.cat([g.flatten().double() for g in exact["gradients"]]).norm()
    floors = {"logits": 0, "gradients": SHARE[dtype] * whole, "slopes": 0}
    return {
        part: max(
            ((x.double() - y.double()).norm() / y.double().norm().clamp_min(floor)).item()
            for x, y in zip(found[part], exact[part])
        )
        for part, floor in floors.items()
    }


def words(off):
    return ", ".join(f"{part} {value:.1e}" for part, value in off.items())


def within(off, limit):
    return all(value <= limit for value in off.values())


def numbers(model, mode, x, target, dtype):
    """Logits, gradients, and derivatives of matching losses, by PyTorch."""
    # PyTorch has no second derivative of it.
    F.hardsigmoid = lambda x, inplace=False: F.relu6(x + 3) / 6
    model = copy.deepcopy(model).to(dtype).train(mode == "train")
    x = x.to(dtype).requires_grad_()
    logits = model(x)
    parameters = list(model.parameters())
    gradient = torch.autograd.grad(F.cross_entropy(logits, torch.tensor(LABELS[: len(x)])), parameters, create_graph=True)
    target = [t.to(dtype) for t in target]
    dot = sum((a * b).sum() for a, b in zip(gradient, target))
    l2 = sum((a - b).pow(2).sum() for a, b in zip(gradient, target))
    cosine = 1 - dot / (sum(a.pow(2).sum() for a in gradient) * sum(b.pow(2).sum() for b in target)).sqrt()
    slopes = [torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in (l2, cosine)]
    return {"logits": [logits.detach()], "gradients": [g.detach() for g in gradient], "slopes": slopes}


def first_gradient(model, mode, x):
    model = copy.deepcopy(model).train(mode == "train")
    loss = F.cross_entropy(model(x), torch.tensor(LABELS[: len(x)]))
    return [g.detach() for g in torch.autograd.grad(loss, list(model.parameters()))]


class Case:
    """A network, its files and pictures, in one mode."""

    def __init__(self, program, numbers_of, model, names, mode, folder):
        self.program, self.numbers_of, self.model, self.names = program, numbers_of, model, names
        self.mode, self.folder = mode, folder

    def write(self, x, target):
        tensors = {"x": x, "labels": torch.tensor(LABELS[: len(x)]).float()}
        tensors |= {f"target.{name}": t.clone().contiguous() for name, t in zip(self.names, target)}
        save_file(tensors, os.path.join(self.folder, "input.safetensors"))

    def ours(self, path, device):
        """The same as `numbers`, by gia-gpu."""
        source, out = (os.path.join(self.folder, f"{what}.safetensors") for what in ("input", "output"))
        subprocess.run([self.numbers_of, path, source, out, self.mode, device], check=True)
        found = load_file(out)
        gradients = {k[9:]: v for k, v in found.items() if k.startswith("gradient.")}
        if sorted(gradients) != sorted(self.names):
            sys.exit(f"{path}: other names: {sorted(set(gradients) ^ set(self.names))}")
        ordered = [gradients[name] for name in self.names]
        return {"logits": [found["logits"]], "gradients": ordered, "slopes": [found["l2"], found["cosine"]]}

    def captured(self, path, draw):
        """The gradient that the program writes of pictures in files, beside the rest as it should be."""
        pictures = [os.path.join(self.folder, f"{i}.png") for i in range(len(draw.pixels))]
        for picture, file in zip(draw.pixels, pictures):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
        out = os.path.join(self.folder, "gradient.safetensors")
        labels = ",".join(map(str, LABELS[: len(pictures)]))
        subprocess.run(
            [self.program, "-q", "capture", "--model", path, "--images", *pictures, "--labels", labels, "--mode", self.mode,
             "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--device", "cpu", "--out", out],
            check=True, stdout=subprocess.DEVNULL,
        )
        found = load_file(out)
        return draw.exact | {"gradients": [found[name] for name in self.names]}


def observe(model, side):
    """Gives the batch norms running statistics of pictures. With those of no pictures (0 and 1) signals of a deep network fade, and
    so do its derivatives by the pictures, below what f32 can tell."""
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0
    with torch.no_grad():
        model.train()((torch.rand(16, 3, side, side) - 0.5) / 0.25)


class Draw:
    """Pictures, and what PyTorch computes of them."""

    def __init__(self, case, side, number):
        torch.manual_seed(number)
        batch = BATCHES[case.mode][number % 2]
        pixels = torch.randint(0, 256, (2 * batch, 3, side, side), dtype=torch.uint8)
        x, others = ((pixels.double() / 255 - 0.5) / 0.25).float().chunk(2)
        self.pixels = pixels[:batch]
        # Of other pictures, so that the slopes are not 0.
        target = first_gradient(case.model, case.mode, others)
        case.write(x, target)
        self.exact, rough = (numbers(case.model, case.mode, x, target, dtype) for dtype in (torch.double, torch.float))
        self.own = compare(rough, self.exact, torch.float)


def in_f64(case, paths, draw, title):
    """That f64 agrees, of both files."""
    found = case.ours(paths[0], "cpu64")
    off = compare(found, draw.exact, torch.double)
    print(f"{title}: cpu64 is off by {words(off)}", flush=True)
    if not within(off, LIMIT):
        sys.exit(f"{title}: cpu64 is off by {words(off)}, more than {LIMIT}")
    if paths[1]:
        off = compare(case.ours(paths[1], "cpu64"), found, torch.double)
        print(f"{title}: the ONNX file differs by {words(off)}", flush=True)
        if not within(off, SAME):
            sys.exit(f"{title}: the two files differ by {words(off)}, more than {SAME}")


def in_f32(case, paths, side, title, waiting):
    """Draws pictures until each of the `waiting` devices has agreed at one draw."""
    waiting, own = list(waiting), 0
    for number in range(DRAWS):
        draw = Draw(case, side, number)
        own += within(draw.own, LIMIT)
        if number == 0:
            in_f64(case, paths, draw, title)
        for device in list(waiting):
            found = case.captured(paths[0], draw) if device == "capture" else case.ours(paths[0], device)
            off = compare(found, draw.exact, torch.float)
            if within(off, LIMIT):
                waiting.remove(device)
                print(f"{title}: {device} is off by {words(off)}, at draw {number + 1}", flush=True)
        if not waiting:
            print(f"{title}: PyTorch's f32 is off by {words(draw.own)} at the last draw, and within {LIMIT} at {own} of {number + 1}")
            return
    sys.exit(f"{title}: {', '.join(waiting)} agrees at none of {DRAWS} draws within {LIMIT}; PyTorch's own f32 at {own}")


def one(program, numbers_of, name, folder):
    torch.manual_seed(7)
    make, side = NETWORKS[name]
    model = without_noise(make())
    # torchvision starts the ViT's head at 0, where every other gradient is 0, too.
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    F.hardsigmoid = HARDSIGMOID
    observe(model, side)
    paths = export(model, side, folder, name)
    names = [n for n, _ in model.named_parameters()]
    normed = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    devices = ["cpu", "gpu", "capture"]
    if name in EXACT_ALONE:
        devices = []
    elif name in NO_GPU:
        devices.remove("gpu")
    for mode in ("eval", "train") if normed else ("eval",):
        case = Case(program, numbers_of, model, names, mode, folder)
        in_f32(case, paths, side, f"{name}, {mode}", [d for d in devices if mode == "eval" or d != "capture"])


if __name__ == "__main__":
    for name in sys.argv[3:] or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            one(sys.argv[1], sys.argv[2], name, folder)
