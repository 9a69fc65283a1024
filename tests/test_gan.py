"""GAN and WGAN-GP: the generator of DCGAN and the trainer."""

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.models.dcgan import Generator
from t2ilab.models.introspective import Critic
from t2ilab.trainers.gan import GAN


def squares(step):
    """White squares on black, left or right."""
    rng = torch.Generator().manual_seed(step)
    images = torch.zeros(16, 1, 8, 8, dtype=torch.uint8)
    for picture, right in zip(images, torch.randint(2, (16,), generator=rng), strict=True):
        picture[:, 2:6, 4 * right : 4 * right + 4] = 255
    return {"images": images}


def gan(**changed):
    torch.manual_seed(0)
    return GAN(
        Generator(size=8, channels=1, z=8, width=8),
        Critic(size=8, channels=1, width=8),
        **{"lr": 2e-3, "average": 0.9} | changed,
    )


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (32, 3), (64, 1)])
def test_pictures_fill_the_size_and_stay_in_the_box(size, channels):
    pictures = Generator(size=size, channels=channels, z=5, width=4)(torch.randn(3, 5))
    assert pictures.shape == (3, channels, size, size)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize("objective", ["logistic", "wasserstein"])
def test_it_learns_where_the_squares_are(objective):
    trainer = gan(objective=objective)
    fit(trainer, squares, steps=250, device="cpu", show=False)
    pictures = trainer.sample(torch.randn(64, 8, generator=torch.Generator().manual_seed(1)))
    edges = torch.cat([pictures[:, 0, :1], pictures[:, 0, 7:]], 1)
    assert edges.mean() < -0.8  # always black
    assert abs(pictures[:, 0, 2:6].mean()) < 0.5  # half of the middle is white


def test_the_first_losses_are_those_of_scores_of_zero():
    trainer = gan(objective="logistic")
    for parameter in trainer.critic.score.parameters():
        parameter.data.zero_()
    history = fit(trainer, squares, steps=1, device="cpu", show=False).history
    assert history.loss_f[0] == pytest.approx(2 * 0.693147, abs=1e-3)


def test_resume_goes_on_bit_for_bit(tmp_path):
    whole, first, again = gan(), gan(), gan(seed=3)
    fit(whole, squares, steps=8, device="cpu", show=False)

    def stops(step):
        if step == 5:
            raise KeyboardInterrupt
        return squares(step)

    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, steps=8, device="cpu", show=False, out=tmp_path / "run", save_every_s=0)
    fit(again, squares, steps=8, device="cpu", show=False, out=tmp_path / "run", resume=True)
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_refused():
    with pytest.raises(UsageError, match="28"):
        Generator(size=28)
    with pytest.raises(UsageError, match="objective"):
        gan(objective="hinge")
