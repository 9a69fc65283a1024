"""How much is measured: all of it, or (for the tests) hardly anything."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements.

    Attributes:
        repeats: rounds of everything that is measured in turn.
        pictures: side in pixels -> how many pictures of PaperWorld are drawn a round.
        side, width, text, batch: of the networks, and of a batch, in training and drawing.
        steps: updates a round; `fit_steps` in each call of `fit`.
        data: pictures that `fit` learns from.
        calls: rounds of drawing 64 pictures, which is short.
        pool, ascent_steps: pictures that are synthesised together, and their steps at most.
        visits: of the pictures of WINN, before one is measured.
        rbm_hidden, rbm_steps: hidden units of an RBM on MNIST's 784 pixels, and updates a round.
        profile, profile_steps: the training whose memory is measured.
    """

    repeats: int = 5
    pictures: tuple[tuple[int, int], ...] = ((32, 20_000), (64, 3000), (128, 1600))
    side: int = 64
    width: int = 64
    text: int = 1024
    batch: int = 64
    steps: int = 2
    fit_steps: int = 8
    data: int = 1024
    calls: int = 15
    pool: int = 128
    ascent_steps: int = 200
    visits: int = 10
    rbm_hidden: int = 500
    rbm_steps: int = 200
    profile: str = "laptop"
    profile_steps: int = 100


FULL = Sizes()
QUICK = Sizes(
    repeats=2,
    pictures=((32, 8), (64, 4), (128, 2)),
    side=32,
    width=8,
    text=32,
    batch=8,
    steps=1,
    fit_steps=3,
    data=32,
    calls=2,
    pool=4,
    ascent_steps=8,
    visits=1,
    rbm_hidden=4,
    rbm_steps=2,
    profile="smoke",
    profile_steps=2,
)
