"""How fast an RBM learns: PCD-1, against scikit-learn's BernoulliRBM, the same work."""

from collections.abc import Iterator

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.neural_network import BernoulliRBM

from bench.row import Row, in_turn
from bench.sizes import Sizes
from t2ilab.data.digits import load_mnist_sheet
from t2ilab.models.rbm import RBM
from t2ilab.trainers.rbm import BinaryBatches, RBMTrainer

BATCH = 100


def measure(sizes: Sizes) -> Iterator[Row]:
    """Pictures a second, one chain a picture of the batch and one Gibbs step, in both."""
    sheet = load_mnist_sheet().images[..., 0].reshape(-1, 784)
    pixels = np.tile(sheet, (sizes.rbm_steps * BATCH // len(sheet) + 1, 1))
    pixels = pixels[: sizes.rbm_steps * BATCH]
    ones = (pixels >= 128).astype(np.float32)

    def ours() -> None:
        rbm = RBM(visible=784, hidden=sizes.rbm_hidden)
        trainer = RBMTrainer(rbm, chains=torch.zeros(BATCH, 784), v_mean=torch.zeros(784))
        batches = BinaryBatches(pixels, batch_size=BATCH, binarise="threshold")
        trainer.setup(Fabric(accelerator="cpu", devices=1, precision="32-true"))
        for step in range(sizes.rbm_steps):
            trainer.step(batches(step))

    def theirs() -> None:
        BernoulliRBM(sizes.rbm_hidden, batch_size=BATCH, n_iter=1, random_state=0).fit(ones)

    mine, reference = in_turn(ours, theirs, repeats=sizes.repeats)
    yield Row.of(
        "training an RBM",
        [len(pixels) / t for t in mine],
        [len(pixels) / t for t in reference],
        unit="pictures/s",
        more=True,
        target="ratio >= 1.3",
        note=f"784-{sizes.rbm_hidden}, PCD-1, centred gradient, batch {BATCH}, "
        f"{sizes.rbm_steps} steps, {torch.get_num_threads()} threads; reference: scikit-learn's "
        "BernoulliRBM, one pass over the same pictures in float32, its plain gradient",
    )
