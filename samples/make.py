"""Cuts the embedded sample pictures out of Fashion-MNIST's test set.

    python3 samples/make.py /usr/share/datasets/fashion-mnist samples

The first folder holds the original t10k-*.gz files (Debian: apt install dataset-fashion-mnist).
Standard library only; the same input gives the same bytes.
"""

import gzip
import struct
import sys
from pathlib import Path

# Test-set indices, four well recognisable pictures of each class, chosen by eye.
PICKS = [
    [35, 121, 275, 280],  # T-shirt/top
    [2, 128, 192, 97],  # Trouser
    [20, 77, 204, 110],  # Pullover
    [91, 162, 215, 300],  # Dress
    [25, 57, 130, 319],  # Coat
    [82, 254, 257, 445],  # Sandal
    [7, 265, 282, 322],  # Shirt
    [9, 36, 61, 167],  # Sneaker
    [30, 34, 78, 422],  # Bag
    [28, 132, 163, 250],  # Ankle boot
]

source, target = Path(sys.argv[1]), Path(sys.argv[2])
images = gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
labels = gzip.decompress((source / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]

# Class after class in turn, so that a batch of ten holds each class once; a pullover first, because it shows
# early in an attack what others show late, and a first try should be short.
turns = [(2 + label) % 10 for label in range(10)]
order = [(label, PICKS[label][turn]) for turn in range(4) for label in turns]
for label, index in order:
    assert labels[index] == label, (label, index)

pixels = b"".join(images[784 * index : 784 * (index + 1)] for _, index in order)
headed = {
    "fashion-samples-images-idx3-ubyte.gz": struct.pack(">4I", 0x803, len(order), 28, 28) + pixels,
    "fashion-samples-labels-idx1-ubyte.gz": struct.pack(">2I", 0x801, len(order)) + bytes(c for c, _ in order),
}
for name, content in headed.items():
    (target / name).write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
