"""gia-gpu against plain eager PyTorch: the same iterations, side by side, on this machine's processor or GPU.

    python benches/against_pytorch.py                     # every row; about 7 minutes, leave the machine alone
    python benches/against_pytorch.py --rows lenet --quick
    python benches/against_pytorch.py --device gpu        # PyTorch on CUDA, in f32 (no TF32), gia-gpu on Vulkan
    python benches/against_pytorch.py --json > ratios.json

Needs torch, torchvision, numpy and safetensors, and `cargo build --release`.

For every row, both sides first compute one iteration from the same numbers, and what they find is compared: loss,
∂loss/∂x and the pictures after the step, or for training the loss, every momentum (which is the gradient and the
weight decay), parameter and running statistic after the step. Where that differs by more than 1e-4, relative, the
row is not timed and the exit code is 1 (ties of ReLU and max pooling apart: see agreement.py).

Then both are timed in turn, A, B, A, B, …, each time for --seconds, in --rounds rounds; each round gives a ratio, and
the table shows the ratios' median with the smallest and largest. The control row times gia-gpu against itself and
should be 1.00. PyTorch's side is what a careful user writes (see rival.py); gia-gpu's is `gia-gpu bench`.

On the processor two rows more: the most memory that a whole process holds while it attacks ResNet-18 at B=4 (`gia-gpu run` and rival.py,
interpreter and libraries included), and how long gia-gpu takes to plan and compile ResNet-18's iteration.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import agreement
import rival
import victims
from peak_memory import peak_memory

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Row:
    name: str
    options: list
    build: object
    batch: int
    goal: float
    trials: int = 1
    training: bool = False

    def arguments(self):
        part = "training" if self.training else "attack"
        sizes = ["--batch", str(self.batch), "--trials", str(self.trials)]
        return ["bench", "--only", part, *self.options, *sizes]


LENET, CONVNET = ["--arch", "lenet-zhu"], ["--arch", "convnet64"]
RESNET18, RESNET20 = ["--arch", "resnet18", "--stem", "cifar"], ["--arch", "resnet20"]
ROWS = [
    Row("lenet-zhu B=1", LENET, victims.lenet_zhu, 1, 8),
    Row("lenet-zhu B=8", LENET, victims.lenet_zhu, 8, 5),
    Row("convnet64 B=1", CONVNET, victims.convnet64, 1, 2),
    Row("convnet64 B=4", CONVNET, victims.convnet64, 4, 2),
    Row("resnet18 B=1", RESNET18, victims.resnet18, 1, 2.5),
    Row("resnet18 B=4", RESNET18, victims.resnet18, 4, 1.8),
    Row("lenet-zhu B=1, 64 trials", LENET, victims.lenet_zhu, 1, 20, trials=64),
    Row("resnet20 B=1, 16 trials", RESNET20, victims.resnet20, 1, 5, trials=16),
    Row("resnet20 B=128, training", RESNET20, victims.resnet20, 128, 1.3, training=True),
]


# Rows that are not ratios of times.
MEMORY, PLAN = "resnet18 B=4, peak memory", "resnet18 B=1, plan and compile"
# Of PyTorch's memory, and seconds.
MEMORY_GOAL, PLAN_GOAL = 2, 0.5
# Enough for both sides to have allocated all they will.
MEMORY_ITERATIONS = 10


class Engine:
    """gia-gpu, called as a user calls it."""

    def __init__(self, program, device, threads, folder):
        self.program, self.folder = program, Path(folder)
        self.place = ["--device", device, *(["--threads", threads] if device == "cpu" else [])]

    def run(self, arguments):
        arguments = [str(a) for a in arguments]
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.program} {' '.join(arguments)}\n{done.stderr}")
        return done.stdout

    def bench(self, row, *arguments):
        return self.run([*row.arguments(), *self.place, "--input", self.input(row), *arguments])

    def input(self, row):
        return self.folder / "input.safetensors"

    def check(self, row):
        out = self.folder / "check.safetensors"
        self.bench(row, "--check", out)
        return load_file(out)

    def measure(self, row, seconds):
        """`gia-gpu bench`'s JSON of the row's iteration."""
        return json.loads(self.bench(row, "--seconds", seconds, "--json"))["iterations"][0]


def compare(row, engine, problem, args):
    """Seconds per trial of both sides in every round, and of gia-gpu once more."""
    ours, theirs, control, last = [], [], [], None
    step = rival.training(problem) if row.training else rival.attack(problem)
    rival.measure(step, args.seconds / 3)
    for _ in range(args.rounds):
        last = engine.measure(row, args.seconds)
        ours.append(last["seconds_per_trial"])
        theirs.append(rival.measure(step, args.seconds))
        control.append(engine.measure(row, args.seconds)["seconds_per_trial"])
    return ours, theirs, control, last


def compare_memory(engine, args):
    attack = ["--arch", "resnet18", "--batch", 4, "--iterations", MEMORY_ITERATIONS]
    ours = [engine.program, "run", *attack, "--stem", "cifar", "--device", "cpu", "--labels", "given"]
    theirs = [sys.executable, ROOT / "benches/rival.py", *attack, "--threads", args.threads]
    sides = []
    for _ in range(3):
        out = engine.folder / f"attack{len(sides)}"
        sides.append((peak_memory([*ours, "--out", out], args.threads), peak_memory(theirs, args.threads)))
    ours, theirs = (summary(side) for side in zip(*sides))
    ratio = summary([b / a for a, b in sides])
    return {"row": MEMORY, "asked": MEMORY_GOAL, "gia_gpu_bytes": ours, "pytorch_bytes": theirs, "ratio": ratio}


def measure_plan(engine, args):
    row = next(row for row in ROWS if row.name == "resnet18 B=1")
    save_file(rival.Problem(row.build, row.batch, 1, False, args.seed).tensors(), engine.input(row))
    each = [engine.measure(row, 0.01) for _ in range(args.rounds)]
    seconds = {kind: summary([m[f"{kind}_seconds"] for m in each]) for kind in ["tape", "plan", "compile"]}
    both = summary([m["plan_seconds"] + m["compile_seconds"] for m in each])
    return {"row": PLAN, "asked": PLAN_GOAL, "seconds": both} | seconds


def summary(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def show(s, scale=1.0, digits=2):
    return f"{s['median'] * scale:.{digits}f} [{s['lowest'] * scale:.{digits}f}, {s['highest'] * scale:.{digits}f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="only rows whose name contains one of these, as in lenet,trials")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7, help="of each side in a round")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="of both sides; a gpu wants CUDA")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.2 s: for a look, not for a report")
    parser.add_argument("--check-only", action="store_true", help="compare what is computed, time nothing")
    parser.add_argument("--program", default=ROOT / "target/release/gia-gpu", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 3, 0.2
    if args.device == "gpu" and not torch.cuda.is_available():
        parser.error("--device gpu: this PyTorch finds no CUDA device")
    if not args.program.is_file():
        parser.error(f"--program: there is no {args.program}: cargo build --release")
    wanted = [part.strip() for part in args.rows.split(",")]
    asked = lambda name: any(part in name for part in wanted)
    rows = [row for row in ROWS if asked(row.name)]
    others = [name for name in [MEMORY, PLAN] if asked(name) and args.device == "cpu" and not args.check_only]
    if not rows and not others:
        names = [*(row.name for row in ROWS), MEMORY, PLAN]
        parser.error(f"--rows: expected parts of {names}, found '{args.rows}'")
    torch.set_num_threads(args.threads)
    say = lambda line: print(line, file=sys.stderr if args.json else sys.stdout, flush=True)
    place = f"{args.threads} threads each"
    if args.device == "gpu":
        rival.use_cuda()
        place = torch.cuda.get_device_name()
    say(f"PyTorch {torch.__version__}, {place}, {args.rounds} rounds of {args.seconds} s a side")

    results, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(args.program, args.device, args.threads, folder)
        for row in rows:
            problem = rival.Problem(row.build, row.batch, row.trials, row.training, args.seed)
            check = agreement.check_training if row.training else agreement.check_attack
            errors, same, redrawn = check(row, engine, problem)
            words = ", ".join(f"{name} {value:.1e}" for name, value in errors.items())
            words += f", {redrawn} draws with ties" if redrawn else ""
            result = {"row": row.name, "asked": row.goal, "errors": errors, "redrawn": redrawn, "equal": same}
            results.append(result)
            if not same:
                wrong += 1
                say(f"{row.name:<26} DIFFERENT: {words}")
                continue
            if args.check_only:
                say(f"{row.name:<26} the same: {words}")
                continue
            ours, theirs, again, last = compare(row, engine, problem, args)
            ratio = summary([b / a for a, b in zip(ours, theirs)])
            result |= {"pytorch_seconds": summary(theirs), "gia_gpu_seconds": summary(ours), "ratio": ratio}
            result |= {"control": summary([b / a for a, b in zip(ours, again)]), "gia_gpu": last}
            met = "met" if ratio["median"] >= row.goal else "MISSED"
            say(
                f"{row.name:<26} PyTorch {show(summary(theirs), 1e3)} ms, gia-gpu {show(summary(ours), 1e3)} ms: "
                f"{show(ratio)}×, asked {row.goal}× {met} (control {show(result['control'])}; {words})"
            )
        if MEMORY in others:
            result = compare_memory(engine, args)
            results.append(result)
            verdict = "met" if result["ratio"]["median"] >= MEMORY_GOAL else "MISSED"
            say(
                f"{MEMORY:<26} PyTorch {show(result['pytorch_bytes'], 1e-6, 0)} MB, gia-gpu "
                f"{show(result['gia_gpu_bytes'], 1e-6, 0)} MB: {show(result['ratio'])}×, asked {MEMORY_GOAL}× {verdict}"
            )
        if PLAN in others:
            result = measure_plan(engine, args)
            results.append(result)
            verdict = "met" if result["seconds"]["median"] < PLAN_GOAL else "MISSED"
            say(
                f"{PLAN:<26} {show(result['seconds'])} s, asked less than {PLAN_GOAL} s {verdict} (graph "
                f"{show(result['tape'])} s, plan {show(result['plan'])} s, compile {show(result['compile'])} s)"
            )
    if args.json:
        about = {"pytorch": torch.__version__, "place": place, "rounds": args.rounds}
        print(json.dumps(about | {"seconds": args.seconds, "rows": results}, indent=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
