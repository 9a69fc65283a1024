"""Two tiny networks against each other, with all that makes resuming hard: batch normalisation,
dropout, an average, a generator of noise, a learning rate that follows the budget. As a script it
is a run to be killed, interrupted, or started in several processes."""

import argparse
import copy
import hashlib
import os
import signal
import time

import torch
import torch.nn.functional as F
from torch import nn

from t2ilab.fit import fit


class Tiny:
    """A 2×2 picture of three colours from four numbers of noise."""

    def __init__(self, *, seed=0, width=16, nan_at=None, stop_at=None, sleep=0.0):
        torch.manual_seed(seed)
        self.G = nn.Sequential(
            nn.Linear(4, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, 12),
            nn.Tanh(),
        )
        self.D = nn.Sequential(nn.Linear(12, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))
        self.average = copy.deepcopy(self.G)
        self.opt_G = torch.optim.Adam(self.G.parameters(), lr=1e-2)
        self.opt_D = torch.optim.Adam(self.D.parameters(), lr=1e-2)
        self.noise = torch.Generator().manual_seed(seed)
        self.fixed = torch.randn(3, 4)
        self.done, self.progress, self.seen = 0, 0.0, []
        self.nan_at, self.stop_at, self.sleep = nan_at, stop_at, sleep

    def setup(self, fabric):
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.D, self.opt_D = fabric.setup(self.D, self.opt_D)
        self.average.to(fabric.device)

    def step(self, batch):
        self.done += 1
        self.seen.append(self.progress)
        for group in (*self.opt_G.param_groups, *self.opt_D.param_groups):
            group["lr"] = 1e-2 * (1 - self.progress)
        z = torch.randn(len(batch["x"]), 4, generator=self.noise)
        fake = self.G(z)
        d_loss = F.softplus(-self.D(batch["x"])).mean() + F.softplus(self.D(fake.detach())).mean()
        self.opt_D.zero_grad()
        d_loss.backward()
        self.opt_D.step()
        self.D.requires_grad_(False)
        g_loss = F.softplus(-self.D(fake)).mean()
        self.opt_G.zero_grad()
        g_loss.backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        with torch.no_grad():
            for mean, p in zip(self.average.parameters(), self.G.parameters(), strict=True):
                mean.lerp_(p, 0.1)
        if self.done == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self.sleep)
        bad = torch.tensor(float("nan")) if self.done == self.nan_at else 0.0
        return {"d": d_loss.detach(), "g": g_loss.detach() + bad}

    def strip(self):
        torch.rand(7), torch.rand(7, generator=self.noise)  # fit must not let this be noticed
        self.average.eval()
        x = self.average(self.fixed).add(1).mul(127.5).round()
        return x.to(torch.uint8).reshape(3, 2, 2, 3)

    def state_dict(self):
        return {
            "G": self.G.state_dict(),
            "D": self.D.state_dict(),
            "done": self.done,
            "average": self.average.state_dict(),
            "noise": self.noise.get_state(),
            "fixed": self.fixed,
            "opt_G": self.opt_G.state_dict(),
            "opt_D": self.opt_D.state_dict(),
        }

    def load_state_dict(self, state):
        for name in ("G", "D", "average", "opt_G", "opt_D"):
            getattr(self, name).load_state_dict(state[name])
        self.noise.set_state(state["noise"])
        self.done, self.fixed = state["done"], state["fixed"]


class TinyBatches:
    """Batch `step` of a global batch of 8, or one process's part of it."""

    def __init__(self, rank=0, of=1):
        self.rank, self.of = rank, of

    def __call__(self, step):
        x = torch.rand(8, 12, generator=torch.Generator().manual_seed(step)) * 2 - 1
        return {"x": x[self.rank :: self.of]}

    def shard(self, rank, world_size):
        return TinyBatches(rank, world_size)


def digest(trainer, *names):
    """A sum over networks and optimisers (or those named) that changes with the last bit of any."""
    from t2ilab.fit.checkpoint import leaves

    total = hashlib.sha256()
    state = trainer.state_dict()
    for path, value in leaves({name: state[name] for name in names or state}):
        total.update(path.encode())
        is_tensor = isinstance(value, torch.Tensor)
        total.update(value.numpy().tobytes() if is_tensor else repr(value).encode())
    return total.hexdigest()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--out")
    options.add_argument("--steps", type=int, default=100)
    options.add_argument("--sleep", type=float, default=0.0)
    options.add_argument("--precision", default="32-true")
    options.add_argument("--resume", action="store_true")
    options.add_argument("--save-every", type=float, default=0.0)
    given = options.parse_args()
    fitted = fit(
        Tiny(sleep=given.sleep),
        TinyBatches(),
        steps=given.steps,
        out=given.out,
        resume=given.resume,
        device="cpu",
        precision=given.precision,
        show=False,
        save_every_s=given.save_every,
    )
    print("stopped:", fitted.stopped, "steps:", fitted.steps)
