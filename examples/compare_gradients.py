"""Compare two gradient files: relative difference of every tensor, the worst printed.

    python compare_gradients.py ONE.safetensors OTHER.safetensors
"""

import sys

from safetensors.torch import load_file

BOUND = 1e-4

if __name__ == "__main__":
    one, other = map(load_file, sys.argv[1:3])
    assert one.keys() == other.keys(), sorted(one.keys() ^ other.keys())
    worst = max((((one[k] - other[k]).norm() / one[k].norm()).item(), k) for k in one)
    print(f"{len(one)} tensors, largest relative difference {worst[0]:.1e} ({worst[1]})")
    assert worst[0] < BOUND, f"expected below {BOUND}"
