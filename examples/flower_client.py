"""A Flower client that keeps its round's update for gia-gpu.

    python flower_client.py OUTDIR

The client trains a torchvision ResNet-18 for four local steps. `fit` is called with the messages that Flower's
server sends, and writes OUTDIR/server.npz (the parameters it was sent) and OUTDIR/update.npz (what its training
changed them by): ordered arrays without names, in the order of `state_dict`, as they travel. What it answers is
kept as OUTDIR/local.npz. In your own client, the np.savez lines are all you need; local.npz does instead of update.npz.
"""

import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from flwr.client import NumPyClient
from flwr.common import FitIns, ndarrays_to_parameters, parameters_to_ndarrays
from torchvision.models import resnet18

STEPS, BATCH, RATE, CLASSES, SIDE = 4, 2, 0.01, 10, 32


class Client(NumPyClient):
    def __init__(self, out):
        self.out = out
        self.model = resnet18(num_classes=CLASSES)
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(STEPS * BATCH, 3, SIDE, SIDE, generator=generator)
        self.y = torch.tensor([7, 1, 1, 4, 0, 7, 7, 8])

    def get_parameters(self, config):
        return [value.cpu().numpy() for value in self.model.state_dict().values()]

    def fit(self, parameters, config):
        state = dict(zip(self.model.state_dict(), map(torch.tensor, parameters)))
        self.model.load_state_dict(state)
        self.model.eval()  # batch norm with running statistics; .train() goes with --mode train
        optimiser = torch.optim.SGD(self.model.parameters(), lr=RATE)
        for x, y in zip(self.x.split(BATCH), self.y.split(BATCH)):
            optimiser.zero_grad()
            F.cross_entropy(self.model(x), y).backward()
            optimiser.step()
        trained = self.get_parameters(config)

        # These lines are what your own client needs.
        np.savez(f"{self.out}/server.npz", *parameters)
        np.savez(f"{self.out}/update.npz", *[new - old for new, old in zip(trained, parameters)])
        np.savez(f"{self.out}/local.npz", *trained)
        return trained, len(self.x), {}


def main(out):
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(0)
    client = Client(out)
    sent = ndarrays_to_parameters(client.get_parameters({}))
    answer = client.to_client().fit(FitIns(sent, {}))
    assert len(parameters_to_ndarrays(answer.parameters)) == len(client.model.state_dict())
    with open(f"{out}/labels.txt", "w") as f:
        f.write(",".join(str(int(label)) for label in client.y))


if __name__ == "__main__":
    main(sys.argv[1])
