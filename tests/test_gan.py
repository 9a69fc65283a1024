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


def shares(pictures):
    """The shares of pictures [n, 1, 8, 8] with a black rim, and with a white half: left, right."""
    rows, rim = pictures[:, 0, 2:6], torch.cat([pictures[:, 0, :1], pictures[:, 0, 7:]], 1)
    left, right = rows[:, :, :4].mean((1, 2)), rows[:, :, 4:].mean((1, 2))
    on_the_left = (left > 0.5) & (right < -0.5)
    on_the_right = (right > 0.5) & (left < -0.5)
    halves = [on_the_left.float().mean().item(), on_the_right.float().mean().item()]
    return (rim.mean((1, 2)) < -0.5).float().mean().item(), *halves


@pytest.mark.parametrize("objective", ["logistic", "wasserstein"])
def test_it_learns_squares_on_both_sides(objective):
    trainer = gan(objective=objective)
    fit(trainer, squares, steps=250, device="cpu", show=False)
    pictures = trainer.sample(torch.randn(64, 8, generator=torch.Generator().manual_seed(1)))
    black, left, right = shares(pictures)
    assert black > 0.9 and left + right > 0.75  # one white half, and not a bar of grey
    assert min(left, right) > 0.2  # no mode is lost


def test_a_lost_mode_or_a_bar_of_grey_would_be_noticed():
    real = squares(0)["images"].float().div(127.5).sub(1)
    black, left, right = shares(real)
    assert black == 1 and left + right == 1 and min(left, right) > 0.2
    always_left, grey = real.clone(), real.clone()
    always_left[:, :, 2:6] = torch.tensor([1.0] * 4 + [-1.0] * 4)
    grey[:, :, 2:6] = 0
    assert shares(always_left) == (1, 1, 0) and shares(grey) == (1, 0, 0)
    assert shares(-real)[0] == 0


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
