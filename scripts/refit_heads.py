"""Fit the picture side of caption encoders again, after their world's reader has changed.

    python scripts/refit_heads.py encoder_lstm-birds encoder_mean-birds

The caption encoder stays as it is, bit by bit; only theta (`text.matcher`), which brings features
of pictures into the space of captions, is learned anew, by the loss that the whole was trained
with. Then all is measured again. `more` of the weights says so.
"""

import argparse

import numpy as np
import torch

from t2ilab import schemas
from t2ilab.data import paperworld
from t2ilab.data.pairs import Order, Truth
from t2ilab.losses.matching import OBJECTIVES
from t2ilab.recipes.data import encode_all, reader_features
from t2ilab.recipes.encoder import measure_matcher
from t2ilab.systems import weights
from t2ilab.systems.encoders import TrainedEncoder
from t2ilab.systems.single import load_reader
from t2ilab.text.matcher import Matcher
from t2ilab.trainers.parts import cosine_end, set_rate

PICTURES, STEPS, BATCH, LR, HIDDEN = 6000, 3000, 256, 2e-3, 256


def refit(name: str) -> dict[str, float]:
    """Fit, measure and write; returns what was measured."""
    about, path = weights.load(name).about, weights.find(name)
    old = TrainedEncoder.load(name)
    before = {k: v.clone() for k, v in old.encoder.state_dict().items()}
    world, reader = about["world"], load_reader(about["world"])
    data = paperworld.world(world).load("train", 32, PICTURES)
    features, phi = reader_features(reader, data), encode_all(old.encoder, data).float()
    torch.manual_seed(0)
    cosine = about["arguments"]["matcher"]["cosine"]
    matcher = Matcher(old.encoder, features=features.shape[1], cosine=cosine, hidden=HIDDEN)
    learned = [p for n, p in matcher.named_parameters() if not n.startswith("encoder.")]
    optimizer = torch.optim.AdamW(learned, lr=LR, weight_decay=1e-4)
    loss_of = OBJECTIVES[about["more"]["objective"]]
    order, truth = Order(data, BATCH, 0, (0.3, 0.3, 0.2, 0.15, 0.05)), Truth(data)
    for step in range(STEPS):
        set_rate(LR * cosine_end(step / STEPS), optimizer)
        chosen, levels, _ = order(step)
        fits = torch.from_numpy(truth.fits(chosen, chosen, levels))
        said = matcher._unit(phi[torch.from_numpy(chosen), torch.from_numpy(np.asarray(levels))])
        loss = loss_of(matcher.score(matcher.theta(features[torch.from_numpy(chosen)]), said), fits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    measured = measure_matcher(matcher.eval(), world)
    trained = TrainedEncoder(old.encoder, matcher)
    assert all(v.equal(before[k]) for k, v in old.encoder.state_dict().items())
    note = f"theta learned anew for this reader: scripts/refit_heads.py, {STEPS} steps"
    described = {k: v for k, v in about.items() if k in STATED} | {
        "arguments": trained.arguments(),
        "measured": {k: round(v, 4) for k, v in measured.items()},
        "more": about["more"] | {"theta": note},
    }
    tensors = {trained.name_in_file(k): v for k, v in trained.state_dict().items()}
    weights.save(path.parent, tensors, described, name=name, half=True)
    return measured


STATED = set(schemas.weights.Description.__struct_fields__) - {"versions", "tensors"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="caption encoders that ship")
    for name in parser.parse_args().names:
        before = weights.load(name).about["measured"]
        print(name, before, "->", refit(name), flush=True)


if __name__ == "__main__":
    main()
