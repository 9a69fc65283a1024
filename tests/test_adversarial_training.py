"""Adversarial training: the inner maximum, the outer minimum, and that plain training is ε = 0."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.fit import Trainer, fit
from t2ilab.inputs.constraints import grey_levels
from t2ilab.metrics.robustness import robust_accuracy
from t2ilab.trainers.adversarial_training import AdversarialTraining


def small_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2)
    )


def data(step, n=32):
    """Two classes, told apart by a faint pattern in many pixels, and by a strong one in a few.

    The faint one is 10 grey levels either way: within reach of ε = 16/255.
    """
    rng = np.random.default_rng(step)
    labels = rng.integers(2, size=n)
    sign = (2 * labels - 1)[:, None, None, None]
    x = (
        128
        + rng.normal(0, 8, size=(n, 3, 8, 8))
        + 10 * sign * np.where(np.indices((8, 8)).sum(0) % 2, 1, -1)
    )
    x[:, :, :2, :2] += 60 * sign
    return {
        "images": torch.from_numpy(x.clip(0, 255).astype(np.uint8)),
        "labels": torch.from_numpy(labels),
    }


def as_pictures(batch):
    return batch["images"].float().div(127.5).sub(1), batch["labels"]


def trained(epsilon, steps=150):
    network = small_network()
    trainer = AdversarialTraining(network, epsilon=epsilon, steps=3, lr=5e-3)
    fitted = fit(trainer, data, steps=steps, device="cpu", precision="32-true", show=False)
    return network.eval(), fitted


def test_the_inner_maximum_is_in_the_ball_and_has_a_larger_loss():
    network = small_network()
    trainer = AdversarialTraining(network, epsilon=8 / 255, ramp=0)
    x, labels = as_pictures(data(0))
    before = network[1].running_mean.clone()
    found = trainer.worst(x, labels)
    assert network.training and torch.equal(network[1].running_mean, before)
    assert 0 < grey_levels(found, x)[0].max() <= 8
    network.eval()
    climbed = F.cross_entropy(network(found), labels) - F.cross_entropy(network(x), labels)
    assert climbed > 0.01


def test_epsilon_grows_with_the_progress():
    trainer = AdversarialTraining(small_network(), epsilon=0.3, ramp=0.5)
    radii = []
    for trainer.progress in (0.0, 0.25, 0.5, 1.0):
        radii.append(trainer.radius)
    assert radii == pytest.approx([0, 38 / 255, 0.3, 0.3])  # 38.25, in whole levels
    assert AdversarialTraining(small_network(), epsilon=0.3, ramp=0).radius == 0.3


def test_with_epsilon_zero_it_is_plain_training():
    network, fitted = trained(0.0, steps=5)
    other = small_network()
    reference = AdversarialTraining(other, epsilon=0.0, lr=5e-3)
    optimizer = reference.optimizer
    for step in range(5):
        x, labels = as_pictures(data(step))
        for group in optimizer.param_groups:
            from t2ilab.trainers.parts import one_cycle

            group["lr"] = 5e-3 * one_cycle(step / 5)
        optimizer.zero_grad()
        F.cross_entropy(other.train()(x), labels).backward()
        optimizer.step()
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert isinstance(reference, Trainer) and len(fitted.history)


def test_it_makes_a_network_robust_that_plain_training_leaves_fragile():
    x, labels = as_pictures(data(10_000, n=200))
    accuracy = {}
    for epsilon in (0.0, 16 / 255):
        network, _ = trained(epsilon)
        accuracy[epsilon] = robust_accuracy(network, x, labels, epsilons=[0, 16 / 255], steps=20)
    plain, robust = accuracy[0.0], accuracy[16 / 255]
    assert plain[0] > 0.95 and robust[0] > 0.9
    assert robust[16 / 255] > plain[16 / 255] + 0.2


def test_resuming_is_exact(tmp_path):
    def run(steps, resume):
        network = small_network()
        trainer = AdversarialTraining(network, epsilon=8 / 255, steps=2, ramp=0)
        fit(
            trainer,
            data,
            steps=steps,
            out=tmp_path,
            resume=resume,
            device="cpu",
            precision="32-true",
            show=False,
        )
        return trainer

    first, again = run(3, False), run(3, True)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])
    assert torch.equal(first.rng.get_state(), again.rng.get_state())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epsilon": 8}, "8 / 255"),
        ({"epsilon": -0.1}, "epsilon -0.1"),
        ({"steps": 0}, "0 steps of PGD"),
        ({"ramp": 2}, "ramp 2"),
    ],
)
def test_bad_input_is_refused_in_words(change, said):
    with pytest.raises(UsageError, match=said):
        AdversarialTraining(small_network(), **({"epsilon": 0.1} | change))
