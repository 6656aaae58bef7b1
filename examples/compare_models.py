"""Whole networks with random weights against PyTorch: logits, the gradient of every parameter, and the derivatives by the pictures
of two matching losses (squared distance and cosine).

    python compare_models.py GIA_GPU NUMBERS [NAME…]

NUMBERS is the example network_numbers. Networks of torchvision, and the ViT and ConvNeXt of transformers, from `.pt2` and from ONNX;
eval mode, and train mode where there is a batch norm. Dropout and stochastic depth are off on both sides.

The measure is PyTorch in f64. What gia-gpu computes in f64 must be within 1e-4 of it, relative to the norm of each tensor, and
what it computes of the ONNX file within 1e-6 of what it computes of the other. What devices compute in f32 must be within 1e-4, too,
or where PyTorch's own f32 is further off than that, within three times as far: deep networks in train mode are that rough, and
both figures are printed. `gia-gpu capture` writes the same gradient.
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
# How many times PyTorch's own error is still rounding and no mistake, where that error is beyond the limit.
MARGIN = 3
LABELS = [3, 5]
# What a software GPU computes within minutes: of others it is asked nothing.
SMALL = ("mobilenet_v3_small", "shufflenet_v2_x1_0", "transformers_vit", "transformers_convnext")
# Whose pooling or mean the newer ONNX exporter writes as gathers of single numbers.
OLDER = ("vgg11_bn, 224×224", "convnext_tiny", "transformers_convnext", "swin_t")
# Pools one place to 49, which no exporter writes as that.
NO_ONNX = ("vgg11_bn",)
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


MODELS = torchvision.models
NETWORKS = {
    "resnet18": (lambda: MODELS.resnet18(num_classes=10), 64),
    "vgg11_bn": (lambda: MODELS.vgg11_bn(num_classes=10), 32),
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


def distance(a, b, floor):
    """Of two lists of tensors the largest difference, of the second's norm. A gradient that is smaller than a share of the
    whole is rounding, as that of a bias before a batch norm."""
    return max(((x.double() - y.double()).norm() / y.double().norm().clamp_min(floor)).item() for x, y in zip(a, b))


def numbers(model, mode, x, target, dtype):
    """Logits, gradients, and derivatives of matching losses, by PyTorch."""
    # PyTorch has no second derivative of it.
    F.hardsigmoid = lambda x, inplace=False: F.relu6(x + 3) / 6
    model = copy.deepcopy(model).to(dtype).train(mode == "train")
    x = x.to(dtype).requires_grad_()
    logits = model(x)
    parameters = list(model.parameters())
    gradient = torch.autograd.grad(F.cross_entropy(logits, torch.tensor(LABELS)), parameters, create_graph=True)
    target = [t.to(dtype) for t in target]
    dot = sum((a * b).sum() for a, b in zip(gradient, target))
    l2 = sum((a - b).pow(2).sum() for a, b in zip(gradient, target))
    cosine = 1 - dot / (sum(a.pow(2).sum() for a in gradient) * sum(b.pow(2).sum() for b in target)).sqrt()
    slopes = [torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in (l2, cosine)]
    return {"logits": [logits.detach()], "gradients": [g.detach() for g in gradient], "slopes": slopes}


def first_gradient(model, mode, x):
    model = copy.deepcopy(model).train(mode == "train")
    return [g.detach() for g in torch.autograd.grad(F.cross_entropy(model(x), torch.tensor(LABELS)), list(model.parameters()))]


class Case:
    """A network, its files and pictures, in one mode."""

    def __init__(self, program, model, names, mode, folder):
        self.program, self.names, self.mode, self.folder = program, names, mode, folder
        self.model = model

    def write(self, x, target):
        tensors = {"x": x, "labels": torch.tensor(LABELS).float()}
        tensors |= {f"target.{name}": t.contiguous() for name, t in zip(self.names, target)}
        save_file(tensors, os.path.join(self.folder, "input.safetensors"))

    def ours(self, path, device):
        """The same as `numbers`, by gia-gpu."""
        source, out = (os.path.join(self.folder, f"{what}.safetensors") for what in ("input", "output"))
        subprocess.run([self.program, path, source, out, self.mode, device], check=True)
        found = load_file(out)
        gradients = {k[9:]: v for k, v in found.items() if k.startswith("gradient.")}
        if sorted(gradients) != sorted(self.names):
            sys.exit(f"{path}: other names: {sorted(set(gradients) ^ set(self.names))}")
        ordered = [gradients[name] for name in self.names]
        return {"logits": [found["logits"]], "gradients": ordered, "slopes": [found["l2"], found["cosine"]]}


def one(program, numbers_of, name, folder):
    torch.manual_seed(7)
    make, side = NETWORKS[name]
    model = without_noise(make())
    # torchvision starts the ViT's head at 0, where every other gradient is 0, too.
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    F.hardsigmoid = HARDSIGMOID
    paths = export(model, side, folder, name)
    names = [n for n, _ in model.named_parameters()]
    pixels = torch.randint(0, 256, (2 * len(LABELS), 3, side, side), dtype=torch.uint8)
    normalised = (pixels.double() / 255 - 0.5) / 0.25
    x, others = normalised.float().chunk(2)

    normed = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    for mode in ("eval", "train") if normed else ("eval",):
        case = Case(numbers_of, model, names, mode, folder)
        # Of other pictures, so that the slopes are not 0.
        target = first_gradient(model, mode, others)
        case.write(x, target)
        exact, rough = (numbers(model, mode, x, target, dtype) for dtype in (torch.double, torch.float))
        floor = 1e-6 * torch.cat([g.flatten() for g in exact["gradients"]]).norm()
        floors = {"logits": 0, "gradients": floor, "slopes": 0}
        compare = lambda a, b: {part: distance(a[part], b[part], floors[part]) for part in floors}
        words = lambda found: ", ".join(f"{part} {value:.1e}" for part, value in found.items())
        own = compare(rough, exact)
        print(f"{name}, {mode}: PyTorch's f32 is off by {words(own)}", flush=True)
        first = case.ours(paths[0], "cpu64")
        runs = [("cpu64", paths[0], first, {part: LIMIT for part in floors})]
        limits = {part: max(LIMIT, MARGIN * own[part] if own[part] > LIMIT else 0) for part in floors}
        for device in () if name in EXACT_ALONE else ("cpu", "gpu") if name in SMALL else ("cpu",):
            runs.append((device, paths[0], case.ours(paths[0], device), limits))
        for device, path, found, limits in runs:
            off = compare(found, exact)
            print(f"{name}, {mode}: {device} is off by {words(off)}", flush=True)
            for part in floors:
                if not off[part] <= limits[part]:
                    sys.exit(f"{name}, {mode}, {device}: {part} off by {off[part]:.1e}, more than {limits[part]:.1e}")
        if paths[1]:
            onnx = compare(case.ours(paths[1], "cpu64"), first)
            print(f"{name}, {mode}: the ONNX file differs by {words(onnx)}", flush=True)
            if not all(value <= SAME for value in onnx.values()):
                sys.exit(f"{name}, {mode}: the two files differ by more than {SAME}")
        if mode == "eval" and name not in EXACT_ALONE:
            capture(program, paths[0], pixels[: len(LABELS)], first["gradients"], names, folder, max(LIMIT, MARGIN * own["gradients"]))


def capture(program, path, pixels, expected, names, folder, limit):
    """The gradient that the program writes of pictures in files."""
    pictures = [os.path.join(folder, f"{i}.png") for i in range(len(pixels))]
    for picture, file in zip(pixels, pictures):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    out = os.path.join(folder, "gradient.safetensors")
    labels = ",".join(map(str, LABELS))
    subprocess.run(
        [program, "-q", "capture", "--model", path, "--images", *pictures, "--labels", labels, "--mode", "eval",
         "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--device", "cpu", "--out", out],
        check=True,
    )
    found = load_file(out)
    floor = 1e-6 * torch.cat([g.flatten().double() for g in expected]).norm()
    off = distance([found[name] for name in names], expected, floor)
    assert off <= limit, f"{path}: capture's gradient is off by {off:.1e}"


if __name__ == "__main__":
    for name in sys.argv[3:] or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            one(sys.argv[1], sys.argv[2], name, folder)
