"""CLIP's ViT-B/32 image encoder on 16 pictures, gia-gpu's CPU device against eager PyTorch (`transformers`).

    cargo build --release --example clip_features
    python benches/clip_against_pytorch.py                 # about 2 minutes, leave the machine alone
    python benches/clip_against_pytorch.py --threads 2 --rounds 10 --json

Random weights, the same on both sides, frozen: PyTorch computes no gradient of theirs either. Features, and the gradient
of the cosines at the pixels, are compared first; where they differ by more than 1e-4, nothing is timed. Then both run in
turn, A, B, A, B, ...; each round gives a ratio (above 1: gia-gpu is faster), and the table shows their median with the
smallest and largest. The control row runs gia-gpu against itself. PyTorch's attention is the faster of `sdpa` and
`eager`. Peak memory is of whole processes, one for each side, that do the forward and the gradient once more.
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

from peak_memory import peak_memory

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/examples/clip_features"
BOUND = 1e-4
BATCH = 16


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
    def __init__(self, folder, threads, out):
        command = [str(PROGRAM), folder, f"{folder}/in.safetensors", out, "cpu", "serve"]
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, part):
        self.process.stdin.write(part + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rival", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rival:
        sys.exit(rival(options.rival, options.threads))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        CLIPModel(CLIPConfig()).save_pretrained(folder)
        pixels = torch.randn(BATCH, 3, 224, 224)
        tokens = torch.randint(0, 1000, (BATCH, 8)).float()
        tokens[:, -1] = 49407
        save_file({"pixels": pixels, "tokens": tokens}, f"{folder}/in.safetensors")
        out = f"{folder}/out.safetensors"
        engine = Engine(folder, options.threads, out)
        engine.time("forward")
        found = load_file(out)
        targets = found["text_features"]
        sides = [Torch(folder, attention) for attention in ("sdpa", "eager")]
        for side in sides:
            cosine, gradient = side.gradient(pixels, targets)
            errors = [relative(found["image_features"], side.forward(pixels, targets)),
                      relative(found["cosine"], cosine), relative(found["gradient"], gradient)]
            assert max(errors) < BOUND, errors
        for part in ("forward", "gradient"):
            side = min(sides, key=lambda side: min(side.time(part, pixels, targets) for _ in range(3)))
            engine.time(part)
            times = [(engine.time(part), side.time(part, pixels, targets)) for _ in range(options.rounds)]
            control = [engine.time(part) / engine.time(part) for _ in range(options.rounds // 2)]
            ratios = [theirs / ours for ours, theirs in times]
            ours, theirs = (statistics.median(column) for column in zip(*times))
            rows.append(dict(part=part, ours_ms=ours, torch_ms=theirs, ratio=statistics.median(ratios),
                             smallest=min(ratios), largest=max(ratios), control=statistics.median(control)))
        engine.close()
        ours = [PROGRAM, folder, f"{folder}/in.safetensors", out, "cpu"]
        theirs = [sys.executable, __file__, "--rival", folder, "--threads", options.threads]
        memory = dict(ours_mb=peak_memory(ours, options.threads) / 1e6,
                      torch_mb=peak_memory(theirs, options.threads) / 1e6)
    if options.json:
        print(json.dumps(dict(rows=rows, memory=memory), indent=1))
        sys.exit()
    print(f"ViT-B/32, {BATCH} pictures, {options.threads} threads, torch {torch.__version__}")
    for row in rows:
        print("{part:9} {ours_ms:7.1f} ms, PyTorch {torch_ms:7.1f} ms: {ratio:.2f}x ({smallest:.2f} to {largest:.2f}), "
              "control {control:.2f}".format(**row))
    print("peak memory {ours_mb:.0f} MB, PyTorch {torch_mb:.0f} MB".format(**memory))
