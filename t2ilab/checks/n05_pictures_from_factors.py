"""Exercises of notebook 05: an angle as two numbers, the loss with a mask, what is drawn of the
unknown.
"""

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare


def _test_angle_code(angle_code) -> None:
    angles = torch.tensor([0.0, 0.5, 2.0, 4.0, 6.2])
    value = call(
        angle_code, angles, shape=(5, 2), reason="Two numbers an angle, side by side in a row."
    )
    right = torch.stack([angles.cos(), angles.sin()], 1)
    degrees = angles * torch.pi / 180
    compare(
        value,
        right,
        "For 0, 0.5, 2, 4 and 6.2 radians it should be {right}; yours is {found}.",
        slips={
            "The cosine comes first, then the sine.": right.flip(1),
            "The angles are in radians already.": torch.stack([degrees.cos(), degrees.sin()], 1),
            "That is cosine twice: 1 radian and -1 radian would look alike.": torch.stack(
                [angles.cos(), angles.cos()], 1
            ),
            "That goes round the wrong way: the sine of a small angle is positive.": torch.stack(
                [angles.cos(), -angles.sin()], 1
            ),
            "With half the angle, 0 and 2 pi would lie opposite each other.": torch.stack(
                [(angles / 2).cos(), (angles / 2).sin()], 1
            ),
            "The angles are in radians: a whole turn is 2 pi already.": torch.stack(
                [(2 * torch.pi * angles).cos(), (2 * torch.pi * angles).sin()], 1
            ),
            "That is the number itself, twice: 2 pi stays far from 0.": torch.stack(
                [angles, angles], 1
            ),
        },
    )


_ANGLE = '''\
def angle_code(angles):
    """The cosine and the sine of each angle.

    angles: [n], in radians. Returns [n, 2].
    """
    return ____'''

q1 = Exercise(
    name="q1",
    question="**Exercise 1.** Tell a network an angle so that 359° lies beside 0°: by the point on "
    "the unit circle.",
    stub=_ANGLE,
    answer="torch.stack([angles.cos(), angles.sin()], 1)",
    test=_test_angle_code,
    hints=(
        "A point on the circle has two coordinates. Put both columns side by side.",
        "torch.stack([..., ...], 1) makes two columns of two vectors.",
    ),
    mistakes=[
        ("torch.stack([angles.sin(), angles.cos()], 1)", "cosine comes first"),
        ("torch.stack([angles.deg2rad().cos(), angles.deg2rad().sin()], 1)", "radians already"),
        ("torch.stack([angles.cos(), angles.cos()], 1)", "cosine twice"),
        ("torch.stack([angles.cos(), -angles.sin()], 1)", "wrong way"),
        ("torch.stack([(angles / 2).cos(), (angles / 2).sin()], 1)", "half the angle"),
        ("torch.stack([(6.2831853 * angles).cos(), (6.2831853 * angles).sin()], 1)", "whole turn"),
        ("torch.stack([angles, angles], 1)", "itself, twice"),
        ("torch.cat([angles.cos(), angles.sin()])", "shape [10]"),
        ("torch.stack([angles.cos(), angles.sin()])", "shape [2, 5]"),
    ],
    praise="Near angles are now near vectors, all the way round.",
)


def _test_told_loss(told_loss) -> None:
    rng = torch.Generator().manual_seed(0)
    drawn, thing = (torch.rand(3, 1, 4, 4, generator=rng) * 2 - 1 for _ in range(2))
    mask, said = (torch.rand(3, 1, 4, 4, generator=rng) for _ in range(2))
    ground = 0.7
    picture = mask * thing + (1 - mask) * ground
    value = call(
        told_loss, drawn, said, picture, mask, ground, shape=(), reason="One number for the batch."
    )

    def with_(laid, weight=10.0, other=1.0):
        return weight * (laid - picture).square().mean() + other * (said - mask).square().mean()

    laid = mask * drawn + (1 - mask) * ground
    picture_part, gap = with_(laid, other=0.0), said - mask
    compare(
        value,
        with_(laid),
        "On a small batch it should be {right}; yours is {found}.",
        slips={
            "The object is cut out by the mask that the network says. Cut it out by the true one: "
            "else a network that says that nothing is there pays nothing for its picture.": with_(
                said * drawn + (1 - said) * ground
            ),
            "Outside the mask lies the ground, not nothing: add (1 - mask) * ground.": with_(
                mask * drawn
            ),
            "The picture is compared whole; what lies behind the object should not count.": with_(
                drawn
            ),
            "The error of the mask is missing.": picture_part,
            "Only the picture's error counts ten times, the mask's once.": with_(laid, other=10.0),
            "Of the mask's squared error take the mean, as of the picture's, not the sum.": (
                picture_part + gap.square().sum()
            ),
            "Square the mask's error.": picture_part + gap.abs().mean(),
            "Square the mask's error: too much here must not pay for too little there.": (
                picture_part + gap.mean()
            ),
            "Behind the object lies the ground. With the true picture there instead, the edges "
            "are half right before anything is learned.": with_(
                mask * drawn + (1 - mask) * picture
            ),
            "The ground shows through the object: it counts by (1 - mask).": with_(
                mask * drawn + ground
            ),
            "The object is cut out twice: the true mask alone does it.": with_(
                said * mask * drawn + (1 - mask) * ground
            ),
            "Cut it out by the true mask, and outside of it lies the ground, not nothing.": with_(
                said * drawn
            ),
            "Which of the two lies on top? Where the mask is 1, the object is seen.": with_(
                (1 - mask) * drawn + mask * ground
            ),
        },
    )


_LOSS = '''\
def told_loss(drawn, said, picture, mask, ground):
    """The picture's squared error, ten times, and the mask's.

    drawn: [b, 1, h, w], the object as the network draws it. said: where it says that the object is.
    picture, mask: what is true. ground: the colour behind the object. Returns a number.
    """
    laid = ____  # the object, cut out, on its ground
    return 10 * (laid - picture).square().mean() + ____'''

q2 = Exercise(
    name="q2",
    question="**Exercise 2.** The loss of a network with two heads, one for the object and one for "
    "the mask that cuts it out. By which of the two masks, the true one or the one that the "
    "network says, is the object cut out while it learns?",
    stub=_LOSS,
    answer=("mask * drawn + (1 - mask) * ground", "(said - mask).square().mean()"),
    test=_test_told_loss,
    hints=(
        "A mask of 1 shows the object, of 0 the ground, and at an edge it mixes them.",
        "mask * drawn + (1 - mask) * ground, and the mean of (said - mask)².",
    ),
    mistakes=[
        (
            ("said * drawn + (1 - said) * ground", "(said - mask).square().mean()"),
            "Cut it out by the true one",
        ),
        (("mask * drawn", "(said - mask).square().mean()"), "not nothing"),
        (("drawn", "(said - mask).square().mean()"), "compared whole"),
        (("mask * drawn + (1 - mask) * ground", "0"), "error of the mask is missing"),
        (
            ("(1 - mask) * drawn + mask * ground", "(said - mask).square().mean()"),
            "Which of the two lies on top",
        ),
        (("mask * drawn + (1 - mask) * ground", "(said - mask).mean()"), "pay for too little"),
        (("mask * drawn + (1 - mask) * ground", "(said - mask).abs().mean()"), "Square the mask"),
        (
            ("mask * drawn + (1 - mask) * ground", "10 * (said - mask).square().mean()"),
            "the mask's once",
        ),
        (("mask * drawn + (1 - mask) * ground", "(said - mask).square().sum()"), "not the sum"),
        (("mask * drawn + (1 - mask) * picture", "(said - mask).square().mean()"), "half right"),
        (("mask * drawn + ground", "(said - mask).square().mean()"), "shows through"),
        (
            ("said * mask * drawn + (1 - mask) * ground", "(said - mask).square().mean()"),
            "cut out twice",
        ),
        (("said * drawn", "(said - mask).square().mean()"), "the true mask, and outside"),
        (
            ("mask * drawn + (1 - mask) * ground", "(said - mask).square().mean() + 1"),
            "small batch",
        ),
    ],
    praise="The toys below are learned with it.",
)


def _test_best_single(best_single) -> None:
    rng = torch.Generator().manual_seed(0)
    pictures = torch.rand(5, 3, 4, 4, generator=rng) * 2 - 1
    value = call(
        best_single, pictures, shape=(3, 4, 4), reason="One picture for all that are possible."
    )
    error = (value - pictures).square().mean()
    least = (pictures.mean(0) - pictures).square().mean()
    if torch.allclose(value, pictures.median(0).values):
        raise Wrong(
            "The median has the least *absolute* error; the squared one asks for another picture."
        )
    if any(torch.allclose(value, one) for one in pictures):
        raise Wrong(
            f"One of the pictures: its squared error is {error:.3f}, and {least:.3f} is possible."
        )
    compare(
        value,
        pictures.mean(0),
        "Not the best: set the derivative of the sum of (g - x)² over the pictures to 0.",
        slips={
            "That is the sum of the pictures; how many are there?": pictures.sum(0),
            "There need not be two pictures: divide by how many there are.": pictures.sum(0) / 2,
            "Halfway between the extremes has the least *largest* error; the squared one asks for "
            "another picture.": (pictures.amax(0) + pictures.amin(0)) / 2,
            "Grey says nothing of these pictures; use them.": torch.zeros_like(pictures[0]),
        },
    )


_BEST = '''\
def best_single(pictures):
    """The one picture whose squared error against all of these, equally likely, is least.

    pictures: [n, 3, h, w]. Returns [3, h, w].
    """
    return ____'''

q3 = Exercise(
    name="q3",
    question="**Exercise 3.** A network is told facts of which n pictures are true, all equally "
    "likely. It must draw one. Which has the least squared error?",
    stub=_BEST,
    answer="pictures.mean(0)",
    test=_test_best_single,
    hints=(
        "For one pixel: for which g is the sum of (g - x_i)² least? Take the derivative.",
        "The sum of 2 (g - x_i) is 0 where g is the mean of the x_i.",
    ),
    mistakes=[
        ("pictures.median(0).values", "absolute"),
        ("pictures[0]", "is possible"),
        ("pictures[-1]", "is possible"),
        ("pictures.sum(0) / 2", "need not be two"),
        ("(pictures.amax(0) + pictures.amin(0)) / 2", "least *largest* error"),
        ("torch.zeros_like(pictures[0])", "says nothing"),
        ("pictures.sum(0)", "how many are there"),
        ("pictures.mean()", "shape []"),
        ("pictures.amax(0)", "derivative"),
    ],
    praise="So what is not told comes out as a mean: clouds and leaves as mist.",
)
