"""Train the AttributeReader of a world."""

import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import choose
from t2ilab.fit import fit
from t2ilab.models.reader import AttributeReader
from t2ilab.recipes.plans import PROFILES, Trained, about
from t2ilab.systems import weights
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer


def train_reader(
    world: str,
    *,
    profile: str = "laptop",
    out: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    resume: bool = False,
    device: str = "auto",
    command: str = "",
    show: bool = True,
) -> Trained:
    """Train the AttributeReader of a world on its "reader" split; measured on the test split."""
    plan = PROFILES[choose("profile", profile, PROFILES)]
    torch.manual_seed(seed)
    w = paperworld.world(world)
    n = plan.pictures
    sets = [w.load("reader", size, n) for size in (32, 64)]
    reader = AttributeReader(attributes={name: len(v) for name, v in w.attributes.items()})
    fitted = fit(
        ReaderTrainer(reader, seed=seed),
        ReaderBatches(sets, seed=seed),
        out=out,
        steps=steps or plan.reader_steps,
        resume=resume,
        device=device,
        seed=seed,
        show=show,
    )
    reader.cpu().eval()
    measured = {
        f"{name}_{size}": round(share, 4)
        for size in (32, 64)
        for name, share in accuracy(reader, w.load("test", size, n)).items()
    }
    path = None
    if out is not None:
        made = about(
            command, f"PaperWorld {world}, split reader, 32 and 64 pixels", fitted, measured
        )
        architecture = {
            "class": "t2ilab.models.reader.AttributeReader",
            "arguments": {"attributes": reader.attributes},
        }
        path = weights.save(
            out,
            reader.state_dict(),
            {"architecture": architecture, **made},
            name=f"reader-{world}",
            half=True,
        )
    return Trained(reader, fitted, path)


def accuracy(reader: AttributeReader, data: CaptionedImages) -> dict[str, float]:
    """attribute -> share of the pictures on which it is read back right."""
    read = reader.read(to_float(data.images))
    return {name: float((v.numpy() == data.attributes[name]).mean()) for name, v in read.items()}
