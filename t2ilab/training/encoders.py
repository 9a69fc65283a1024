"""Train a caption encoder by matching."""

import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import choose
from t2ilab.text.encoders import ENCODERS
from t2ilab.text.tokens import Vocabulary
from t2ilab.text_to_image import load_reader, save_encoder
from t2ilab.trainers.caption_encoder import CaptionBatches, CaptionEncoderTrainer
from t2ilab.trainers.fit import fit
from t2ilab.training.data import reader_features
from t2ilab.training.plans import PROFILES, Trained, about


def train_encoder(data: CaptionedImages, *, kind: str = "gru", world: str | None = None,
                  profile: str = "laptop", text: int | None = None, out: str | None = None,
                  seed: int = 0, steps: int | None = None, device: str = "cpu", command: str = "",
                  resume: bool = False, show: bool = True) -> Trained:
    """Train a caption encoder by matching.

    Args:
        data: captioned pictures.
        kind: "gru" or "mean".
        world: match captions with pictures through that world's reader; None: with other captions.
        out: folder for checkpoint and history and, unless a signal ended the run, the weights.
        steps: budget; by default the profile's, but at most about 100 epochs.
    """
    plan = PROFILES[choose("profile", profile, PROFILES)]
    make = ENCODERS[choose("caption encoder", kind, ENCODERS)]
    torch.manual_seed(seed)
    asides = tuple(paperworld.world(world).definition.get("asides", ())) if world else ()
    corpus = [c for captions in data.captions for c in captions] + list(asides)
    encoder = make(Vocabulary.of(corpus, at_least=1 if world else 3), text=text or plan.text)
    features = reader_features(load_reader(world), data) if world else None
    size = None if features is None else features.shape[1]
    trainer = CaptionEncoderTrainer(encoder, features=size)
    batches = CaptionBatches(data, encoder, features, seed=seed, asides=asides)
    steps = steps or min(plan.encoder_steps, 100 * len(data) // batches.order.batch_size + 50)
    fitted = fit(trainer, batches, steps=steps, out=out, resume=resume,
                 device=device, precision="32-true", seed=seed, show=show)
    encoder.cpu().eval()
    path = None
    if out is not None and fitted.stopped != "signal":
        last = float(fitted.history["matching"].iloc[-1])
        path = save_encoder(encoder, out, f"encoder-{world or data.name.split('/')[0]}",
                            **about(command, data.name, fitted, {"matching_loss": round(last, 4)}))
    return Trained(encoder, fitted, path)
