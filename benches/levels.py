"""PyTorch held to an instruction set, in a process of its own.

Its libraries read their level from the environment as they are loaded: ATen (maps, sums), oneDNN (convolutions) and MKL
(products of matrices). Below AVX2, ATen has only the level that the compiler took for any x86-64 (`default`, which is
SSE2), oneDNN's lowest is SSE4.1 and MKL's SSE4.2: what gia-gpu does in SSE2 or in scalar code is held against these. MKL
obeys on Intel's processors; on others it takes a path of its own at every level, and says nothing of it.
"""

import json
import os
import re
import subprocess
import sys

ATEN, ONEDNN, MKL = VARIABLES = "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"
LOWEST = {ATEN: "default", ONEDNN: "SSE41", MKL: "SSE4_2"}
LEVELS = {
    "avx512": {ATEN: "avx512", ONEDNN: "AVX512_CORE", MKL: "AVX512"},
    "avx2": {ATEN: "avx2", ONEDNN: "AVX2", MKL: "AVX2"},
    "sse2": LOWEST,
    "scalar": LOWEST,
}
ISAS = ["auto", *LEVELS, "neon"]

PROBE = """
import torch
torch.nn.functional.conv2d(torch.ones(8, 16, 32, 32), torch.ones(16, 16, 3, 3))
torch.ones(64, 64) @ torch.ones(64, 64)
print("aten:" + torch.backends.cpu.get_cpu_capability())
"""


def environment(isa=None):
    """Of a PyTorch at this level; of an unrestricted one without it."""
    own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return own | LEVELS.get(isa, {})


def words(isa=None):
    """What ATen, oneDNN and MKL say of themselves at this level; nothing of a library that is not there."""
    loud = environment(isa) | {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1"}
    said = subprocess.run([sys.executable, "-c", PROBE], env=loud, capture_output=True, text=True, check=True).stdout
    patterns = {"ATen": r"aten:(.*)", "oneDNN": r"cpu,isa:(.*)", "MKL": r"MKL_VERBOSE oneMKL.* 64 architecture (.*?), "}
    found = {library: re.search(pattern, said) for library, pattern in patterns.items()}
    return {library: match[1].strip() for library, match in found.items() if match}


class Rival:
    """A process that answers a line of JSON with a line of JSON, after a first line about itself."""

    def __init__(self, command, isa=None):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.isa = isa
        command = [sys.executable, *map(str, command)]
        self.process = subprocess.Popen(command, env=environment(isa), text=True, **pipes)
        self.about = self.answer()

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class Rivals:
    """PyTorch at gia-gpu's level and unrestricted: one process where that is the same, or where there is no such level."""

    def __init__(self, command, isa=None):
        self.free = self.held = Rival(command)
        if isa in LEVELS and LEVELS[isa][ATEN].upper() != self.free.about["aten"]:
            self.held = Rival(command, isa)
        self.each = [self.free] if self.held is self.free else [self.held, self.free]

    def levels(self):
        """What the libraries of each side say of their level."""
        names = {None: "PyTorch unrestricted"}
        return {names.get(side.isa, f"PyTorch held to {side.isa}"): words(side.isa) for side in self.each}

    def close(self):
        [side.close() for side in self.each]


def goal(asked, isa):
    """Of a ratio that is asked for with AVX2 and wider: not to be slower in SSE2, and nothing in scalar code."""
    return {"sse2": 1.0, "scalar": None}.get(isa, asked)


def verdict(ratio, asked):
    return "nothing asked" if asked is None else f"asked {asked}× {'met' if ratio >= asked else 'MISSED'}"
