"""A critic that is told captions and draws them: f(x, t) = f0(x) + gamma s(x, t)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.metrics.evaluate import evaluate
from t2ilab.models.introspective_text import TextCritic
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.text_gan import Plan, encoder_of, encoder_option, named_encoder
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems import weights
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.introspective_text import IntrospectiveText
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.introspective_text import MatchedBatches, TextHeadTrainer

KEPT = 512  # scores of positives that go into the weight file
GAMMA = 10.0


PLANS = {
    "smoke": Plan(size=32, pictures=256, width=8, batch_size=16, minutes=0.05),
    "laptop": Plan(size=32, pictures=None, width=40, batch_size=64, minutes=5),
    "gpu": Plan(size=64, pictures=None, width=128, batch_size=128, minutes=12 * 60),
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of the introspective network that is told captions."""

    start: str | None = option(
        None,
        "The introspective network that is f0 (trained by: winn): DIR, FILE or NAME; default the "
        "world's own that ships, or one that is trained first.",
        path=True,
    )
    encoder: str | CaptionEncoder | None = encoder_option()
    width: int | None = option(
        None, "Channels of the network that s is read from.", kind=int, least=1, most=1024
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    epsilon: float = option(
        0.018, "Of the attack on pictures that s learns from.", kind=float, least=0, most=1
    )
    gamma: float = option(GAMMA, "Weight of the caption.", kind=float, least=0, most=1000)


System = IntrospectiveText
HEADLINE = ("consistency_all", "consistency_all_unseen", "inception_score_share", "fid")


def build(o: Options, prepare) -> Built:
    """f0 and the captions' vectors, once for all; the network that learns s.

    Raises:
        UsageError: another size than that of the pictures of f0.
    """
    plan = PLANS[o.profile]
    base = _base(o, o.size or plan.size, prepare)
    if o.size is not None and o.size != base.size:
        raise UsageError(
            f"--size {o.size}: f0 is a critic of pictures of {base.size} pixels, and f draws such."
        )
    data = load_data(
        world=o.world, data=o.data, root=o.root, size=base.size, n=plan.pictures, asides=True
    )
    encoder = named_encoder(o) or encoder_of(o, base.size, prepare)
    phi = encode_all(encoder, data)
    torch.manual_seed(o.seed)
    critic = TextCritic(base.critic, width=o.width or plan.width, text=encoder.text)
    trainer = TextHeadTrainer(critic, epsilon=o.epsilon)
    batch_size = min(o.batch_size or plan.batch_size, len(data))
    return Built(
        trainer,
        MatchedBatches(data, phi, batch_size=batch_size, seed=o.seed),
        finish=lambda: finished(base, encoder, critic.cpu(), data, phi, o.gamma),
        name=f"{o.system}-{o.of}-{base.size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        precision="32-true",
        more={"gamma": o.gamma, "epsilon": o.epsilon, "f0": base.about.get("name", "")},
    )


def live(
    base: IntrospectiveSystem,
    encoder: CaptionEncoder,
    data: CaptionedImages,
    *,
    steps: int = 300,
    epsilon: float = 0.018,
    gamma: float = GAMMA,
    space: int = 128,
    seed: int = 0,
) -> IntrospectiveText:
    """A text head on an introspective system that nobody told of captions, in seconds.

    s is read from the features of f0, and two linear maps are all that learns.

    Args:
        data: captioned pictures of which it learns; some thousands are enough.
        epsilon: see `TextHeadTrainer`.
    """
    torch.manual_seed(seed)
    critic = TextCritic(base.critic, width=0, text=encoder.text, space=space)
    phi = encode_all(encoder, data)
    trainer = TextHeadTrainer(critic, epsilon=epsilon)
    batches = MatchedBatches(data, phi, batch_size=min(64, len(data)), seed=seed)
    fit(trainer, batches, steps=steps, seed=seed, device="cpu", precision="32-true", show=False)
    return finished(base, encoder, critic, data, phi, gamma)


def finished(
    base: IntrospectiveSystem,
    encoder: CaptionEncoder,
    critic: TextCritic,
    data: CaptionedImages,
    phi: Float[Tensor, "n k text"],
    gamma: float,
) -> IntrospectiveText:
    """The system, with the scores that some of its positives have."""
    positives = scores_of(critic, to_float(data.images[:KEPT]), phi[:KEPT, 0].float())
    return IntrospectiveText(base, encoder, critic, positives, gamma=gamma)


@torch.inference_mode()
def scores_of(
    critic: TextCritic, images: Float[Tensor, "n 3 h w"], phi: Float[Tensor, "n text"]
) -> Float[Tensor, "n 2"]:
    """f0 and s of pictures with a caption each."""
    f, theta = map(torch.cat, zip(*(critic.parts(x) for x in images.split(256)), strict=True))
    return torch.stack([f, (theta * critic.head.psi(phi)).sum(1)], 1).clone()


def _base(o: Options, size: int, prepare) -> IntrospectiveSystem:
    """f0: the one named, the world's own, or one that is trained first."""
    if o.start is not None:
        return IntrospectiveSystem.load(o.start)
    if o.world is not None and f"winn-{o.world}-{size}" in weights.bundled():
        return IntrospectiveSystem.load(f"winn-{o.world}-{size}")
    return prepare("winn", profile=o.profile, size=size, **o.origin)


def measure(system: IntrospectiveText, o: Options, n: int | None = None) -> dict:
    """What `metrics.evaluate` finds; nothing for real data and for a world without a reader."""
    if not has_reader(o.world):
        return {}
    few = {"n": 50, "noises": 4} if o.profile == "smoke" else {"n": 100, "noises": 4}
    given = {} if n is None else {"n": n}
    return evaluate(system, paperworld.world(o.world), load_reader(o.world), **few | given)
