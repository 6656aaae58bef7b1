"""gia-gpu against plain eager PyTorch: the same iterations, side by side, on this machine's processor or GPU.

    python benches/against_pytorch.py                     # every row; about 7 minutes (10 with --isa), leave the machine alone
    python benches/against_pytorch.py --rows lenet --quick
    python benches/against_pytorch.py --isa avx2          # both sides in AVX2, and PyTorch unrestricted
    python benches/against_pytorch.py --device gpu        # PyTorch on CUDA, in f32 (no TF32), gia-gpu on Vulkan
    python benches/against_pytorch.py --json > ratios.json

Needs torch, torchvision, numpy and safetensors, and `cargo build --release`.

For every row, both sides first compute one iteration from the same numbers, and what they find is compared: loss,
∂loss/∂x and the pictures after the step, or for training the loss, every momentum (which is the gradient and the
weight decay), parameter and running statistic after the step. Where that differs by more than 1e-4, relative, the
row is not timed and the exit code is 1 (ties of ReLU and max pooling apart: see agreement.py).

Then both are timed in turn, A, B, A, B, …, each time for --seconds, in --rounds rounds; each round gives a ratio, and
the table shows the ratios' median with the smallest and largest. The control times gia-gpu against itself and should be
1.00. PyTorch's side is what a careful user writes (see rival.py), in a process of its own; gia-gpu's is `gia-gpu bench`.

On the processor gia-gpu computes with the instruction set of --isa, and PyTorch is timed twice: held to the same level
(see levels.py, also for what that means below AVX2), and unrestricted. Where these are the same level it is timed once.
What is asked for is a ratio to the unrestricted one if gia-gpu is at its widest, else to the one at the same level.

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
from levels import ISAS, Rivals, goal, verdict
from peak_memory import peak_memory
from victims import EXPORTED, VICTIMS, exported

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Row:
    name: str
    victim: str
    batch: int
    goal: float
    trials: int = 1
    training: bool = False

    def arguments(self, folder):
        part = "training" if self.training else "attack"
        sizes = ["--batch", str(self.batch), "--trials", str(self.trials)]
        network = ["--arch", self.victim]
        if self.victim == "resnet18":
            network += ["--stem", "cifar"]
        if self.victim in EXPORTED:
            network = ["--model", exported(self.victim, folder)]
        return ["bench", "--only", part, *network, *sizes]

    def sizes(self):
        return {"batch": self.batch, "trials": self.trials, "training": self.training}

    def problem(self, seed):
        return rival.Problem(VICTIMS[self.victim], seed=seed, **self.sizes())


ROWS = [
    Row("lenet-zhu B=1", "lenet-zhu", 1, 15),
    Row("lenet-zhu B=8", "lenet-zhu", 8, 7),
    Row("convnet64 B=1", "convnet64", 1, 3),
    Row("convnet64 B=4", "convnet64", 4, 3),
    Row("resnet18 B=1", "resnet18", 1, 3),
    Row("resnet18 B=4", "resnet18", 4, 2.5),
    Row("lenet-zhu B=1, 64 trials", "lenet-zhu", 1, 40, trials=64),
    Row("resnet20 B=1, 16 trials", "resnet20", 1, 8, trials=16),
    Row("resnet20 B=128, training", "resnet20", 128, 1.8, training=True),
    Row("mobilenet_v2 B=1", "mobilenet_v2", 1, 1.5),
    Row("mobilenet_v2 B=4", "mobilenet_v2", 4, 1.5),
    Row("convnext_tiny B=1", "convnext_tiny", 1, 1.5),
    Row("convnext_tiny B=4", "convnext_tiny", 4, 1.5),
    Row("vit B=1", "vit", 1, 1.5),
    Row("vit B=4", "vit", 4, 1.5),
]


# Rows that are not ratios of times.
MEMORY, PLAN = "resnet18 B=4, peak memory", "resnet18 B=1, plan and compile"
# Of PyTorch's memory, and seconds.
MEMORY_GOAL, PLAN_GOAL = 2, 0.5
# Enough for both sides to have allocated all they will.
MEMORY_ITERATIONS = 10


class Engine:
    """gia-gpu, called as a user calls it."""

    def __init__(self, program, device, isa, threads, folder):
        self.program, self.folder = program, Path(folder)
        self.isa = [] if isa == "auto" else ["--isa", isa]
        self.place = ["--device", device, *(["--threads", threads] if device == "cpu" else []), *self.isa]

    def processor(self):
        """Its name, the instruction set that gia-gpu uses, and those that it could use, widest first."""
        cpu = json.loads(self.run(["devices", "--json"]))[0]
        return cpu["name"], self.isa[1] if self.isa else cpu.get("isa"), cpu.get("isas", [])

    def run(self, arguments):
        arguments = [str(a) for a in arguments]
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.program} {' '.join(arguments)}\n{done.stderr}")
        return done.stdout

    def bench(self, row, *arguments):
        return self.run([*row.arguments(self.folder), *self.place, "--input", self.input(row), *arguments])

    def input(self, row):
        return self.folder / "input.safetensors"

    def check(self, row):
        out = self.folder / "check.safetensors"
        self.bench(row, "--check", out)
        return load_file(out)

    def measure(self, row, seconds):
        """`gia-gpu bench`'s JSON of the row's iteration."""
        return json.loads(self.bench(row, "--seconds", seconds, "--json"))["iterations"][0]


def compare(row, engine, rivals, args):
    """Seconds per trial of gia-gpu, of each rival and of gia-gpu once more in every round, and the ratios."""
    ours, theirs, control, last = [], [[] for _ in rivals.each], [], None
    for side in rivals.each:
        side.ask(victim=row.victim, seed=args.seed, input=str(engine.input(row)), **row.sizes())
        side.ask(seconds=args.seconds / 3)
    for _ in range(args.rounds):
        last = engine.measure(row, args.seconds)
        ours.append(last["seconds_per_trial"])
        [times.append(side.ask(seconds=args.seconds)["seconds"]) for side, times in zip(rivals.each, theirs)]
        control.append(engine.measure(row, args.seconds)["seconds_per_trial"])
    ratios = lambda others: summary([b / a for a, b in zip(ours, others)])
    # At the same level, and unrestricted.
    held, free = theirs[0], theirs[-1]
    result = {"pytorch_seconds": summary(held), "pytorch_unrestricted_seconds": summary(free)}
    result |= {"gia_gpu_seconds": summary(ours), "ratio": ratios(held), "ratio_unrestricted": ratios(free)}
    return result | {"control": ratios(control), "gia_gpu": last}


def describe(result, rivals, isa, at_widest):
    """The times and ratios of a row, and whether they are what is asked for."""
    side = lambda name, seconds, ratio: f"{name} {show(result[seconds], 1e3)} ms: {show(result[ratio])}×"
    words = [f"gia-gpu {show(result['gia_gpu_seconds'], 1e3)} ms"]
    if rivals.held is not rivals.free:
        words.append(side(f"PyTorch held to {isa}", "pytorch_seconds", "ratio"))
    words.append(side("PyTorch unrestricted", "pytorch_unrestricted_seconds", "ratio_unrestricted"))
    judged = result["ratio_unrestricted" if at_widest else "ratio"]
    return ", ".join([*words, verdict(judged["median"], result["asked"])])


def compare_memory(engine, args):
    attack = ["--arch", "resnet18", "--batch", 4, "--iterations", MEMORY_ITERATIONS]
    ours = [engine.program, "run", *attack, "--batches", 1, "--stem", "cifar", "--device", "cpu", *engine.isa, "--labels", "given"]
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
    save_file(row.problem(args.seed).tensors(), engine.input(row))
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
    parser.add_argument("--isa", choices=ISAS, default="auto", help="of gia-gpu and of the PyTorch at the same level")
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
    if args.device == "gpu" and args.isa != "auto":
        parser.error(f"--isa {args.isa} is for the processor, and --device gpu asks for a GPU")
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

    results, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(args.program, args.device, args.isa, args.threads, folder)
        processor, isa, has = engine.processor()
        place = f"{processor}, {args.threads} threads each"
        if args.device == "gpu":
            rival.use_cuda()
            place, isa = torch.cuda.get_device_name(), None
        elif has and isa not in has:
            parser.error(f"--isa: this processor has no {isa}; it has {', '.join(has)}")
        at_widest = isa is None or [isa] == has[:1]
        worker = [ROOT / "benches/rival.py", "--threads", args.threads, "--serve", args.device]
        rivals = Rivals(worker, isa) if rows and not args.check_only else None
        levels = rivals.levels() if rivals and args.device == "cpu" else {}
        say(f"{place}, PyTorch {torch.__version__}, {args.rounds} rounds of {args.seconds} s a side")
        if isa:
            say(f"gia-gpu: {isa} of {', '.join(has)}")
        [say(f"{side}: {', '.join(map(' '.join, libraries.items()))}") for side, libraries in levels.items()]
        for row in rows:
            problem = row.problem(args.seed)
            check = agreement.check_training if row.training else agreement.check_attack
            errors, same, redrawn = check(row, engine, problem)
            words = ", ".join(f"{name} {value:.1e}" for name, value in errors.items())
            words += f", {redrawn} draws with ties" if redrawn else ""
            result = {"row": row.name, "asked": goal(row.goal, isa), "errors": errors, "redrawn": redrawn, "equal": same}
            results.append(result)
            if not same:
                wrong += 1
                say(f"{row.name:<26} DIFFERENT: {words}")
                continue
            if args.check_only:
                say(f"{row.name:<26} the same: {words}")
                continue
            result |= compare(row, engine, rivals, args)
            told = describe(result, rivals, isa, at_widest)
            say(f"{row.name:<26} {told} (control {show(result['control'])}; {words})")
        if rivals:
            rivals.close()
        if MEMORY in others:
            result = compare_memory(engine, args)
            results.append(result)
            say(
                f"{MEMORY:<26} PyTorch {show(result['pytorch_bytes'], 1e-6, 0)} MB, gia-gpu "
                f"{show(result['gia_gpu_bytes'], 1e-6, 0)} MB: {show(result['ratio'])}×, "
                f"{verdict(result['ratio']['median'], MEMORY_GOAL)}"
            )
        if PLAN in others:
            result = measure_plan(engine, args)
            results.append(result)
            met = "met" if result["seconds"]["median"] < PLAN_GOAL else "MISSED"
            say(
                f"{PLAN:<26} {show(result['seconds'])} s, asked less than {PLAN_GOAL} s {met} (graph "
                f"{show(result['tape'])} s, plan {show(result['plan'])} s, compile {show(result['compile'])} s)"
            )
    if args.json:
        about = {"pytorch": torch.__version__, "place": place, "isa": isa, "levels": levels, "rounds": args.rounds}
        print(json.dumps(about | {"seconds": args.seconds, "rows": results}, indent=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
