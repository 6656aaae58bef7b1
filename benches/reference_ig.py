"""The `ig` recipe (Geiping et al. 2020, Inverting Gradients) in plain eager PyTorch: the rival to measure against.

    python benches/reference_ig.py --arch lenet-zhu --images 1 --iterations 4800 --threads 2 --data cifar10.bin

One batch of the first N images of a CIFAR-10 binary file, labels known, untrained victim, batch norm on its
initial running statistics. Cosine distance, sign of the gradient, Adam 0.1, lr x 0.1 at 3/8, 5/8 and 7/8, total
variation, clamp to the box of valid pixels; the best iterate by objective is kept. Prints milliseconds per
iteration (after 5 to warm up) and each image's PSNR over pixels in [0,1].
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
WARM_UP = 5


def lenet_zhu(classes):
    layers, widths = [], [3, 12, 12, 12]
    for i, stride in enumerate([2, 2, 1]):
        layers += [nn.Conv2d(widths[i], widths[i + 1], 5, padding=2, stride=stride), nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(768, classes))
    for p in model.parameters():
        nn.init.uniform_(p, -0.5, 0.5)
    return model


def convnet(width, classes):
    layers, channels = [], 3
    for i, multiple in enumerate([1, 2, 2, 4, 4, 4, 4, 4]):
        out = width * multiple
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        layers += [nn.MaxPool2d(3)] if i in (5, 7) else []
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(36 * width, classes))


# Victim, weight of the total variation.
ARCHITECTURES = {
    "lenet-zhu": (lambda: lenet_zhu(10), 1e-2),
    "convnet64": (lambda: convnet(64, 10), 1e-4),
}


def cifar10(path, count):
    """Records of 1 label byte and 3x32x32 pixel bytes: x (B,3,32,32) in [0,1], labels (B)."""
    records = np.fromfile(path, dtype=np.uint8, count=count * 3073).reshape(count, 3073)
    x = torch.from_numpy(records[:, 1:].reshape(count, 3, 32, 32) / np.float32(255))
    return x, torch.from_numpy(records[:, 0].astype(np.int64))


def total_variation(x):
    return (x[..., :, 1:] - x[..., :, :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()


def cosine_distance(g, target):
    dot = sum((a * b).sum() for a, b in zip(g, target))
    return 1 - dot / (sum(a.pow(2).sum() for a in g).sqrt() * sum(b.pow(2).sum() for b in target).sqrt())


def attack(model, observed, labels, box, tv_weight, iterations):
    """The best x (B,3,32,32), normalised, its objective, and milliseconds per iteration."""
    params = list(model.parameters())
    low, high = box
    x = torch.randn(len(labels), 3, 32, 32, device=labels.device, requires_grad=True)
    best_x, best = x.detach().clone(), torch.tensor(float("inf"), device=labels.device)
    adam = torch.optim.Adam([x], lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(adam, [iterations * k // 8 for k in (3, 5, 7)], gamma=0.1)
    wait = torch.cuda.synchronize if labels.is_cuda else lambda: None
    start = None
    for step in range(iterations):
        if step == min(WARM_UP, iterations - 1):
            wait()
            start = time.perf_counter()
        loss = F.cross_entropy(model(x), labels)
        g = torch.autograd.grad(loss, params, create_graph=True)
        objective = cosine_distance(g, observed) + tv_weight * total_variation(x)
        (x.grad,) = torch.autograd.grad(objective, [x])
        x.grad.sign_()
        with torch.no_grad():
            better = objective < best
            best_x, best = torch.where(better, x, best_x), torch.where(better, objective, best)
        adam.step()
        schedule.step()
        with torch.no_grad():
            x.copy_(x.clamp(low, high))
    wait()
    timed = iterations - min(WARM_UP, iterations - 1)
    return best_x, best.item(), (time.perf_counter() - start) * 1000 / timed


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--arch", choices=ARCHITECTURES, required=True)
    args.add_argument("--images", type=int, default=1)
    args.add_argument("--iterations", type=int, default=4800)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--data", required=True)
    args.add_argument("--device", default="cpu")
    args.add_argument("--seed", type=int, default=42)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    build, tv_weight = ARCHITECTURES[args.arch]
    model = build().eval().to(args.device)
    pixels, labels = (t.to(args.device) for t in cifar10(args.data, args.images))
    mean, std = (torch.tensor(v, device=args.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    loss = F.cross_entropy(model((pixels - mean) / std), labels)
    observed = torch.autograd.grad(loss, list(model.parameters()))

    box = -mean / std, (1 - mean) / std
    x, objective, ms = attack(model, observed, labels, box, tv_weight, args.iterations)
    psnr = -10 * ((x * std + mean).clamp(0, 1) - pixels).pow(2).mean((1, 2, 3)).log10()
    print(f"{args.arch}, B={args.images}, {args.iterations} iterations, PyTorch {torch.__version__}, {args.device}")
    print(f"{ms:.2f} ms per iteration, objective {objective:.6f}")
    print("PSNR", " ".join(f"{v:.2f}" for v in psnr.tolist()), f"dB, mean {psnr.mean():.2f} dB")


if __name__ == "__main__":
    main()
