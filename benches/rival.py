"""The rival of against_pytorch.py: the `ig` recipe (Geiping et al. 2020, Inverting Gradients) and a training step in
plain eager PyTorch, as a careful user writes them.

An attack's iteration: cross entropy of the trial pictures, its gradient with create_graph, cosine distance to the
observed gradient and total variation, the gradient of that by the pictures, its sign, Adam (0.1, times 0.1 at 3/8,
5/8 and 7/8 of 4,800 iterations), the best iterate kept, clamp to the box of valid pixels. Batch norm in eval mode.

A step of training: batch norm in train mode, SGD 0.1 with Nesterov's momentum 0.9 and weight decay 5e-4 on the
weights that are not a norm's.

Alone, it is a whole attack:

    python benches/rival.py --arch lenet-zhu --batch 1 --iterations 4800 --data cifar10/data_batch_1.bin

One batch of the first pictures of a CIFAR-10 binary file (or of drawn ones), labels known, untrained victim. Prints
milliseconds per iteration, after 5 to warm up, and each picture's PSNR over pixels in [0,1].

With --serve it is the process that against_pytorch.py times: see `serve`.
"""

import argparse
import copy
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from victims import CLASSES, VICTIMS, lenet_zhu

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
ITERATIONS = 4800

# PyTorch's fused attention has no second derivative; this switch is the CPU's, too.
torch.backends.cuda.enable_flash_sdp(False)


class Problem:
    """A victim, where each trial's attack starts, its labels, and the gradient that it matches."""

    def __init__(self, build, batch, trials, training, seed, iterations=ITERATIONS):
        torch.manual_seed(seed)
        self.model = build().train(training)
        self.trials, self.training, self.iterations = trials, training, iterations
        self.labels = torch.arange(trials * batch).view(trials, batch) % CLASSES
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
        self.box = -mean / std, (1 - mean) / std
        # The paper's weight for the small network, breaching's for the others.
        self.variation = 1e-2 if build is lenet_zhu else 1e-4
        self.side = getattr(build, "side", 32)
        self.start = torch.zeros(trials, batch, 3, self.side, self.side)
        self.pixels = [None] * trials
        self.targets = [None] * trials
        [self.draw(trial) for trial in range(trials)]

    def draw(self, trial):
        """New pictures for a trial: smooth colour, as photographs have, and some grain."""
        coarse = torch.rand(self.labels.shape[1], 3, 8, 8)
        pixels = F.interpolate(coarse, size=self.side, mode="bilinear")
        self.take(trial, (pixels + 0.05 * torch.randn_like(pixels)).clamp(0, 1))

    def take(self, trial, pixels):
        """The trial's pictures, (B,3,32,32) in [0,1]."""
        self.pixels[trial] = pixels
        low, high = self.box
        pictures = low + pixels * (high - low)
        self.start[trial] = pictures if self.training else torch.randn_like(pictures)
        if not self.training:
            loss = F.cross_entropy(self.model(pictures), self.labels[trial])
            self.targets[trial] = torch.autograd.grad(loss, list(self.model.parameters()))

    def tensors(self):
        """As `gia-gpu bench --input` reads them."""
        state = {k: v for k, v in self.model.state_dict().items() if not k.endswith("num_batches_tracked")}
        found = {f"victim.{name}": value for name, value in state.items()}
        found |= {"x": self.start, "labels": self.labels.float()}
        if not self.training:
            names = [name for name, _ in self.model.named_parameters()]
            each = zip(*self.targets)
            found |= {f"target.{name}": torch.stack(gs) for name, gs in zip(names, each)}
        return {name: value.contiguous().clone() for name, value in found.items()}

    def load(self, tensors):
        """Takes what `tensors` gave in another process."""
        state = {name[7:]: value for name, value in tensors.items() if name.startswith("victim.")}
        self.model.load_state_dict(state, strict=False)
        self.start, self.labels = tensors["x"], tensors["labels"].long()
        if not self.training:
            names = [f"target.{name}" for name, _ in self.model.named_parameters()]
            self.targets = [[tensors[name][trial] for name in names] for trial in range(self.trials)]


def total_variation(x):
    return (x[..., :, 1:] - x[..., :, :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()


def cosine_distance(g, target):
    dot = sum((a * b).sum() for a, b in zip(g, target))
    return 1 - dot / (sum(a.pow(2).sum() for a in g).sqrt() * sum(b.pow(2).sum() for b in target).sqrt())


def objective(model, parameters, x, labels, target):
    loss = F.cross_entropy(model(x), labels)
    g = torch.autograd.grad(loss, parameters, create_graph=True)
    return cosine_distance(g, target)


def attack(problem, trial=0, x=None):
    """One iteration as a function to call again and again; it returns the best iterate so far and its objective."""
    model, parameters = problem.model, list(problem.model.parameters())
    labels, target, (low, high) = problem.labels[trial], problem.targets[trial], problem.box
    x = problem.start[trial].clone() if x is None else x
    x.requires_grad_()
    best_x, best = x.detach().clone(), torch.tensor(float("inf"))
    adam = torch.optim.Adam([x], lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(adam, [problem.iterations * k // 8 for k in (3, 5, 7)], gamma=0.1)

    def iteration():
        nonlocal best_x, best
        distance = objective(model, parameters, x, labels, target)
        (x.grad,) = torch.autograd.grad(distance + problem.variation * total_variation(x), [x])
        x.grad.sign_()
        with torch.no_grad():
            better = distance < best
            best_x, best = torch.where(better, x, best_x), torch.where(better, distance, best)
        adam.step()
        schedule.step()
        with torch.no_grad():
            x.copy_(x.clamp(low, high))
        return best_x, best

    return iteration


def attack_check(problem):
    """What every trial's first iteration comes to, stacked: total, objective, gradient = ∂total/∂x, x after it."""
    found = {"total": [], "objective": [], "gradient": [], "x": []}
    parameters = list(problem.model.parameters())
    for trial in range(problem.trials):
        x = problem.start[trial].clone().requires_grad_()
        distance = objective(problem.model, parameters, x, problem.labels[trial], problem.targets[trial])
        total = distance + problem.variation * total_variation(x)
        (gradient,) = torch.autograd.grad(total, [x])
        moved = problem.start[trial].clone()
        attack(problem, trial, moved)()
        values = {"total": total, "objective": distance, "gradient": gradient, "x": moved}
        [found[name].append(value.detach()) for name, value in values.items()]
    return {name: torch.stack(values) for name, values in found.items()}


def optimiser(model):
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 5e-4},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)


def training(problem):
    """One step as a function to call again and again; it returns the loss before it."""
    sgd = optimiser(problem.model)
    x, labels = problem.start[0], problem.labels[0]

    def step():
        sgd.zero_grad()
        loss = F.cross_entropy(problem.model(x), labels)
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def training_check(problem, dtype=torch.float32):
    """The first step: loss before it, and every momentum, parameter and running statistic after it."""
    model = copy.deepcopy(problem.model).to(dtype)
    sgd = optimiser(model)
    loss = F.cross_entropy(model(problem.start[0].to(dtype)), problem.labels[0])
    loss.backward()
    sgd.step()
    found = {"loss": loss.detach().view(1)}
    found |= {f"momentum.{name}": sgd.state[p]["momentum_buffer"] for name, p in model.named_parameters()}
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    return found | {f"after.{name}": value for name, value in state.items()}


def use_cuda():
    """From here on, every tensor is made on the GPU, and its products are f32's own, as gia-gpu's are."""
    torch.set_default_device("cuda")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def measure(step, seconds):
    """Median seconds of one call, over about so many seconds."""
    # On a GPU calls queue up behind each other, as in an attack, and are waited for together.
    on_gpu = torch.get_default_device().type == "cuda"
    calls, wait = (10, torch.cuda.synchronize) if on_gpu else (1, lambda: None)
    times = []
    started = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        [step() for _ in range(calls)]
        wait()
        times.append((time.perf_counter() - begun) / calls)
    return sorted(times)[len(times) // 2]


def serve():
    """Answers lines of JSON. A problem (what `Problem` takes, its victim by name, and the file of its numbers) gets an
    empty answer; `seconds` the median seconds of a call, over so many."""
    answer = lambda **found: print(json.dumps(found), flush=True)
    answer(pytorch=torch.__version__, aten=torch.backends.cpu.get_cpu_capability())
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if "seconds" in request:
            answer(seconds=measure(step, request["seconds"]))
            continue
        victim, path = request.pop("victim"), request.pop("input")
        # What the last problem holds goes first; what a file holds is copied, because it will be written again.
        step = problem = None
        problem = Problem(VICTIMS[victim], **request)
        device = torch.get_default_device()
        problem.load({name: value.clone().to(device) for name, value in load_file(path).items()})
        step = training(problem) if problem.training else attack(problem)
        answer()


WARM_UP = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=VICTIMS, default="lenet-zhu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", help="a CIFAR-10 binary file")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--serve", choices=["cpu", "gpu"], help="answer on standard output what standard input asks")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.serve == "gpu":
        use_cuda()
    if args.serve:
        return serve()

    problem = Problem(VICTIMS[args.arch], args.batch, 1, False, args.seed, iterations=args.iterations)
    if args.data:
        # Records of a label and 3x32x32 pixels, a byte each.
        records = np.fromfile(args.data, dtype=np.uint8, count=args.batch * 3073).reshape(args.batch, 3073)
        problem.labels[0] = torch.from_numpy(records[:, 0].astype(np.int64))
        problem.take(0, torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32) / np.float32(255)))
    run = attack(problem)
    begun = None
    for i in range(args.iterations):
        if i == min(WARM_UP, args.iterations - 1):
            begun = time.perf_counter()
        best, distance = run()
    timed = args.iterations - min(WARM_UP, args.iterations - 1)
    ms = (time.perf_counter() - begun) * 1000 / timed
    low, high = problem.box
    pixels = ((best - low) / (high - low)).clamp(0, 1)
    psnr = -10 * (pixels - problem.pixels[0]).pow(2).mean((1, 2, 3)).log10()
    print(f"{args.arch}, B={args.batch}, {args.iterations} iterations, PyTorch {torch.__version__}")
    print(f"{ms:.2f} ms per iteration, objective {distance.item():.6f}")
    print("PSNR", " ".join(f"{v:.2f}" for v in psnr.tolist()), f"dB, mean {psnr.mean():.2f} dB")


if __name__ == "__main__":
    main()
