"""What a client's update gives away where nobody knows how the client trained: SME beside the simulated attack.

    python benches/unknown_training.py --data cifar-10-batches-bin/data_batch_1.bin --gia target/release/gia-gpu

The client is that of Flower's quickstart: LeNet-5, SGD with momentum 0.9 and rate 0.01, pixels in [-1, 1], two epochs over 50
pictures in batches of 10, shuffled anew in every epoch. PyTorch trains it, from a server's model that is untrained or the
mean of ten such clients after one round. Three eavesdroppers get the update, the number of pictures, and nothing else:

    sme          --preset sme: no order, optimiser or number of steps
    right        the client's own optimiser, epochs, batches and rate, but not the order of its pictures
    wrong        one epoch of plain SGD

Prints, as means over the clients, how many labels were restored (IRec) and the PSNR of the pictures, each given to the original
that it is most like, one to one; and the PSNR of flat grey pictures. Needs torch, numpy, safetensors and pillow. About half an
hour on two cores.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

PICTURES, BATCH, EPOCHS, RATE, MOMENTUM, ROUND = 50, 10, 2, 0.01, 0.9, 10


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def trained(server, x, y, generator):
    """The client's model after its local training."""
    model = LeNet5()
    model.load_state_dict(server)
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.state_dict()


def attack(gia, folder, options, iterations):
    """Labels and pictures as an eavesdropper restores them: the report, and PSNR one to one."""
    out = folder / "found"
    command = [gia, "invert", "--arch", "lenet5", "--weights", folder / "server.safetensors", "--gradient",
               folder / "update.safetensors", "--kind", "update", "--batch", PICTURES, "--normalisation", "half",
               "--iterations", iterations, "--device", "cpu", "--out", out, "--json", *options]
    found = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    compared = subprocess.run([gia, "metrics", "--reference", folder / "originals", "--reconstruction", out / "images",
                               "--json"], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)["batches"][0]["labels"], json.loads(compared.stdout)


def main(options):
    raw = np.fromfile(options.data, np.uint8).reshape(-1, 3073)
    pixels = torch.tensor(raw[:, 1:].reshape(-1, 3, 32, 32)) / 255
    x, y = (pixels - 0.5) / 0.5, torch.tensor(raw[:, 0].astype(np.int64))
    local = ["--local-epochs", EPOCHS, "--local-batch", BATCH, "--local-lr", RATE]
    eavesdroppers = {
        "sme": ["--preset", "sme"],
        "right": ["--preset", "ig", *local, "--local-optimiser", f"momentum:{MOMENTUM}"],
        "wrong": ["--preset", "ig", "--local-epochs", 1, "--local-batch", PICTURES, "--local-lr", RATE],
    }
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    untrained = LeNet5().state_dict()
    others = [slice(1000 + i * PICTURES, 1000 + (i + 1) * PICTURES) for i in range(ROUND)]
    clients = [trained(untrained, x[s], y[s], generator) for s in others]
    after_one = {name: sum(c[name] for c in clients) / ROUND for name in untrained}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "originals").mkdir()
        for victim, server in [("untrained", untrained), ("one round", after_one)]:
            rows = {name: [] for name in eavesdroppers}
            for client in range(options.clients):
                own = slice(client * PICTURES, (client + 1) * PICTURES)
                for i, picture in enumerate(pixels[own]):
                    picture = (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
                    Image.fromarray(picture).save(folder / f"originals/{i:02}.png")
                after = trained(server, x[own], y[own], generator)
                save_file(server, folder / "server.safetensors")
                save_file({name: after[name] - server[name] for name in server}, folder / "update.safetensors")
                true = torch.bincount(y[own], minlength=10)
                for name, settings in eavesdroppers.items():
                    labels, compared = attack(options.gia, folder, settings, options.iterations)
                    found = torch.bincount(torch.tensor(labels), minlength=10)
                    irec = torch.minimum(found, true).sum().item() / PICTURES
                    rows[name].append((irec, compared["psnr"]["one_to_one"], compared["ssim"]["one_to_one"]))
                    print(f"{victim}, client {client}, {name}: IRec {irec:.2f}, PSNR {rows[name][-1][1]:.2f} dB", flush=True)
            grey = [10 * np.log10(1 / np.mean((p.numpy() - 0.5) ** 2)) for p in pixels[: options.clients * PICTURES]]
            print(f"{victim}: flat grey {np.mean(grey):.2f} dB")
            for name, row in rows.items():
                irec, psnr, ssim = np.mean(row, axis=0)
                print(f"{victim:10} {name:6} IRec {irec:.2f}  PSNR {psnr:.2f} dB  SSIM {ssim:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="CIFAR-10, binary")
    parser.add_argument("--gia", default="target/release/gia-gpu")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=2)
    main(parser.parse_args())
