"""CLIP's ViT-B/32 image encoder on 16 pictures, gia-gpu's CPU device against eager PyTorch (`transformers`).

    cargo build --release --example clip_features
    python benches/clip_against_pytorch.py                 # about 2 minutes, leave the machine alone
    python benches/clip_against_pytorch.py --threads 2 --rounds 10 --json
    python benches/clip_against_pytorch.py --isa avx2      # both sides in AVX2, and PyTorch unrestricted

Random weights, the same on both sides, frozen: PyTorch computes no gradient of theirs either. Features, and the gradient
of the cosines at the pixels, are compared first; where they differ by more than 1e-4, nothing is timed. Then both run in
turn, A, B, A, B, ...; each round gives a ratio (above 1: gia-gpu is faster), and the table shows their median with the
smallest and largest. The control runs gia-gpu against itself. PyTorch's attention is the faster of `sdpa` and `eager`.
PyTorch is timed held to gia-gpu's instruction set and unrestricted, in processes of their own; once where that is the
same level (see levels.py). What is asked for is a ratio to the unrestricted one without --isa, else to the one at the
same level. Peak memory is of whole processes, one for each side, that do the forward and the gradient once more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection

from levels import ISAS, Rivals, goal, verdict
from peak_memory import peak_memory

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/examples/clip_features"
BOUND = 1e-4
BATCH = 16
GOALS = {"forward": 1.2, "gradient": 1.3}


class Torch:
    def __init__(self, folder, attention):
        self.model = CLIPVisionModelWithProjection.from_pretrained(folder, attn_implementation=attention).eval()
        self.model.requires_grad_(False)

    def features(self, pixels):
        return self.model(pixel_values=pixels).image_embeds

    def forward(self, pixels, targets):
        with torch.inference_mode():
            return self.features(pixels)

    def gradient(self, pixels, targets):
        x = pixels.detach().requires_grad_()
        cosine = torch.nn.functional.cosine_similarity(self.features(x), targets)
        return cosine, torch.autograd.grad(cosine.sum(), x)[0]

    def time(self, part, pixels, targets):
        started = time.perf_counter()
        getattr(self, part)(pixels, targets)
        return 1e3 * (time.perf_counter() - started)


class Engine:
    def __init__(self, folder, device, threads, out):
        command = [str(PROGRAM), folder, f"{folder}/in.safetensors", out, device, "serve"]
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word):
        print(word, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        return json.loads(line) if line else sys.exit("clip_features ended")

    def time(self, part):
        return self.ask(part)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def rival(folder, threads):
    """The process that is measured for PyTorch's memory."""
    torch.set_num_threads(threads)
    data = load_file(f"{folder}/in.safetensors")
    side = Torch(folder, "sdpa")
    targets = torch.randn(BATCH, 512)
    side.forward(data["pixels"], targets)
    side.gradient(data["pixels"], targets)


def serve(folder, threads):
    """Answers lines of JSON: `check`, a file of gia-gpu's, by the errors against it; `choose`, a part, by the attention
    that is faster there and is taken from then on; `time`, a part, by its milliseconds."""
    torch.set_num_threads(threads)
    answer = lambda **found: print(json.dumps(found), flush=True)
    answer(pytorch=torch.__version__, aten=torch.backends.cpu.get_cpu_capability())
    pixels = load_file(f"{folder}/in.safetensors")["pixels"]
    sides = {attention: Torch(folder, attention) for attention in ("sdpa", "eager")}
    for line in sys.stdin:
        request = json.loads(line)
        if "check" in request:
            found = load_file(request["check"])
            targets, errors = found["text_features"], []
            for side in sides.values():
                cosine, gradient = side.gradient(pixels, targets)
                errors += [relative(found["image_features"], side.forward(pixels, targets)),
                           relative(found["cosine"], cosine), relative(found["gradient"], gradient)]
            answer(errors=errors)
        elif "choose" in request:
            fastest = lambda name: min(sides[name].time(request["choose"], pixels, targets) for _ in range(3))
            chosen = min(sides, key=fastest)
            answer(attention=chosen)
        else:
            answer(milliseconds=sides[chosen].time(request["time"], pixels, targets))


def compare(part, engine, rivals, options, isa):
    attention = [side.ask(choose=part)["attention"] for side in rivals.each]
    engine.time(part)
    ours, theirs = [], [[] for _ in rivals.each]
    for _ in range(options.rounds):
        ours.append(engine.time(part))
        [times.append(side.ask(time=part)["milliseconds"]) for side, times in zip(rivals.each, theirs)]
    control = [engine.time(part) / engine.time(part) for _ in range(max(1, options.rounds // 2))]
    sides = [one(ours, times) | dict(level=side.isa, attention=how)
             for side, times, how in zip(rivals.each, theirs, attention)]
    asked, judged = goal(GOALS[part], isa), sides[-1 if options.isa == "auto" else 0]
    return dict(part=part, ours_ms=statistics.median(ours), rivals=sides, control=statistics.median(control),
                asked=asked, verdict=verdict(judged["ratio"], asked))


def one(ours, theirs):
    """What a rival's times come to."""
    ratios = [b / a for a, b in zip(ours, theirs)]
    return dict(torch_ms=statistics.median(theirs), ratio=statistics.median(ratios),
                smallest=min(ratios), largest=max(ratios))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--isa", choices=ISAS, default="auto", help="of gia-gpu and of the PyTorch at the same level")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rival", help=argparse.SUPPRESS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rival:
        return rival(options.rival, options.threads)
    if options.serve:
        return serve(options.serve, options.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        CLIPModel(CLIPConfig()).save_pretrained(folder)
        tokens = torch.randint(0, 1000, (BATCH, 8)).float()
        tokens[:, -1] = 49407
        save_file({"pixels": torch.randn(BATCH, 3, 224, 224), "tokens": tokens}, f"{folder}/in.safetensors")
        out, device = f"{folder}/out.safetensors", f"cpu:{options.isa}"
        engine = Engine(folder, device, options.threads, out)
        used = engine.ask("device")
        rivals = Rivals([__file__, "--serve", folder, "--threads", options.threads], used["isa"])
        for side in rivals.each:
            errors = side.ask(check=out)["errors"]
            assert max(errors) < BOUND, errors
        rows = [compare(part, engine, rivals, options, used["isa"]) for part in GOALS]
        engine.close()
        rivals.close()
        ours = [PROGRAM, folder, f"{folder}/in.safetensors", out, device]
        theirs = [sys.executable, __file__, "--rival", folder, "--threads", options.threads]
        memory = dict(ours_mb=peak_memory(ours, options.threads) / 1e6,
                      torch_mb=peak_memory(theirs, options.threads) / 1e6)
    levels = rivals.levels()
    if options.json:
        return print(json.dumps(dict(device=used, levels=levels, rows=rows, memory=memory), indent=1))
    print(f"ViT-B/32, {BATCH} pictures, {used['name']}, {options.threads} threads, torch {torch.__version__}")
    print(f"gia-gpu: {used['isa']}")
    [print(f"{side}: {', '.join(map(' '.join, libraries.items()))}") for side, libraries in levels.items()]
    for row in rows:
        sides = [f"PyTorch {'held to ' + side['level'] if side['level'] else 'unrestricted'} ({side['attention']}) "
                 "{torch_ms:.1f} ms: {ratio:.2f}× ({smallest:.2f} to {largest:.2f})".format(**side)
                 for side in row["rivals"]]
        print("{part:9} {ours_ms:.1f} ms, ".format(**row) + ", ".join(sides)
              + ", {verdict}, control {control:.2f}".format(**row))
    print("peak memory {ours_mb:.0f} MB, PyTorch {torch_mb:.0f} MB".format(**memory))


if __name__ == "__main__":
    main()
