"""Exercises of notebook 17: the conditional value, both losses, skips, receptive fields, IoU."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, explained, same
from t2ilab.exact import conditional

SETUP = "import torch\nimport torch.nn.functional as F"


def _test_value(best_value) -> None:
    p_y = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    p = torch.tensor([[6, 2, 1, 1], [1, 1, 4, 4], [3, 3, 3, 1.0]], dtype=torch.float64) / 10
    q = torch.tensor([[2, 6, 1, 1], [2, 1, 5, 2], [1, 1, 2, 6.0]], dtype=torch.float64) / 10
    found = call(best_value, p_y, p, q, shape=(), reason="One value: sum over x and over y.")
    D = p / (p + q)
    of_p, of_q = torch.xlogy(p, D).sum(1), torch.xlogy(q, 1 - D).sum(1)
    joint, made = p_y[:, None] * p, p_y[:, None] * q
    blind = conditional.value_blind(p_y, p, q)
    compare(
        found,
        p_y @ (of_p + of_q),
        slips={
            "That is the value of a D that is not shown y: sum over y after the logarithms, each "
            "label with a D of its own.": blind,
            "Each label counts alike in yours; weigh it by p_y.": (
                (of_p + of_q).mean(),
                (of_p + of_q).sum(),
            ),
            "Only the data's part is there; the second is E log(1 - D(x|y)) over q.": p_y @ of_p,
            "Only the generator's part is there; the first is E log D(x|y) over p.": p_y @ of_q,
            "That is q/(p + q), the chance of \"made\"; D(x|y) = p/(p + q).": (
                p_y @ (torch.xlogy(p, 1 - D).sum(1) + torch.xlogy(q, D).sum(1))
            ),
            "The labels' shares stand inside D and the logarithm as well; they only weigh.": (
                torch.xlogy(joint, joint).sum() + torch.xlogy(made, made).sum()
            ),
        },
    )  # fmt: skip


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Tables $p(x|y)$ of the data and $q(x|y)$ of the generator, and the "
        "labels' shares $p(y)$. What value of (3.1) does the best $D(x|y)$ reach? "
        "`torch.xlogy(p, D)` is $p \\log D$, with $0 \\log 0 = 0$."
    ),
    stub='''\
def best_value(p_y, p, q):
    """max over D(x|y) of V, a number; p_y: [labels]; p, q: [labels, states], none both 0."""
    D = ____
    of_each_label = ____
    return ____''',
    answer=(
        "p / (p + q)",
        "(torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(1)",
        "p_y @ of_each_label",
    ),
    test=_test_value,
    hints=(
        "For each label it is chapter 09's game. Then take the mean over labels, by their shares.",
        "D = p / (p + q), a table like p; xlogy(p, D) + xlogy(q, 1 - D), summed over states; "
        "p_y @ that.",
    ),
    mistakes=[
        (
            (
                "(p_y @ p) / (p_y @ p + p_y @ q)",
                "torch.xlogy(p_y @ p, D) + torch.xlogy(p_y @ q, 1 - D)",
                "of_each_label.sum()",
            ),
            "not shown y",
        ),
        (
            (
                "p / (p + q)",
                "(torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(1)",
                "of_each_label.mean()",
            ),
            "weigh it by p_y",
        ),
        (("p / (p + q)", "torch.xlogy(p, D).sum(1)", "p_y @ of_each_label"), "Only the data's"),
        (("p / (p + q)", "torch.xlogy(q, 1 - D).sum(1)", "p_y @ of_each_label"), "Only the gen"),
        (
            (
                "q / (p + q)",
                "(torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(1)",
                "p_y @ of_each_label",
            ),
            'the chance of "made"',
        ),
        (
            (
                "p / (p + q)",
                "(torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(1)",
                "p_y * of_each_label",
            ),
            "yours has the shape [3]",
        ),
        (
            (
                "p / (p + q + 0.1)",
                "(torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(1)",
                "p_y @ of_each_label",
            ),
            "small example",
        ),
    ],
    setup=SETUP,
    praise="`value_shown` in `t2ilab/exact/conditional.py` is the same.",
)


def _case():
    """A logit f(x, y), which is f(x) where y is left out; pictures, made ones, and labels."""
    w = torch.tensor([0.4, -0.7, 0.2])

    def f(x, y=None):
        return x @ w + (0.0 if y is None else torch.tensor([0.5, -1.0, 1.5])[y])

    x = torch.tensor([[1.0, 0.2, -0.5], [-0.3, 0.8, 0.1]])
    made = torch.tensor([[0.1, -0.9, 0.6], [0.7, 0.3, -0.2]])
    return f, x, made, torch.tensor([2, 0])


def _test_discriminator(discriminator_loss) -> None:
    f, x, made, y = _case()
    swapped = "f takes the pictures first and the labels second: f(x, y)."
    with explained(IndexError, swapped), explained(RuntimeError, swapped):
        found = call(discriminator_loss, f, x, made, y, shape=(), reason="A mean over the batch.")
    real, fake = F.softplus(-f(x, y)).mean(), F.softplus(f(made, y)).mean()
    other = y.roll(1)
    compare(
        found,
        real + fake,
        slips={
            "D is not shown y: it judges f(x, y), the picture with its label, both times.": (
                F.softplus(-f(x)).mean() + F.softplus(f(made)).mean()
            ),
            "D is not shown y with the made pictures; those have the labels that G was given.": (
                real + F.softplus(f(made)).mean()
            ),
            "D is not shown y with the real pictures.": F.softplus(-f(x)).mean() + fake,
            "The made pictures have the same labels y that G was given, not others.": (
                real + F.softplus(f(made, other)).mean()
            ),
            "That is turned round: the logit should rise for x and fall for made pictures.": (
                F.softplus(f(x, y)).mean() + F.softplus(-f(made, y)).mean()
            ),
            "That is G's loss: D wants small logits of made pictures.": (
                F.softplus(-f(made, y)).mean()
            ),
            "Only real pictures are there; add -log(1 - D(made|y)).": real,
            "Only made pictures are there; add -log D(x|y).": fake,
        },
        mean_over=(2, "pictures"),
    )
    free = made.clone().requires_grad_()
    loss = discriminator_loss(lambda a, b: f(a, b) * scale, x, free, y)
    loss.backward()
    if free.grad is not None:
        raise Wrong(
            "A gradient runs into the made pictures, and so into G: in D's step use made.detach()."
        )


scale = torch.ones((), requires_grad=True)  # stands for D's weights

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** D's loss in the conditional game, to be *minimised*, from its logit "
        "`f(x, y)` (D = σ(f), and `F.softplus(-f)` is −log D): data with its labels up, made "
        "pictures with theirs down. G is not to learn from it."
    ),
    stub='''\
def discriminator_loss(f, x, made, y):
    """Mean over the batch; f(pictures, labels): logits [b]; made: G's pictures of the labels y."""
    real = ____
    fake = ____
    return real + fake''',
    answer=("F.softplus(-f(x, y)).mean()", "F.softplus(f(made.detach(), y)).mean()"),
    test=_test_discriminator,
    hints=(
        "As in chapter 09, but each picture stands beside its label.",
        "F.softplus(-f(x, y)).mean(), and F.softplus(f(made.detach(), y)).mean().",
    ),
    mistakes=[
        (("F.softplus(-f(x)).mean()", "F.softplus(f(made.detach())).mean()"), "not shown y: it"),
        (("F.softplus(-f(x, y)).mean()", "F.softplus(f(made.detach())).mean()"), "with the made"),
        (("F.softplus(-f(x)).mean()", "F.softplus(f(made.detach(), y)).mean()"), "with the real"),
        (("F.softplus(-f(x, y)).mean()", "F.softplus(f(made, y)).mean()"), "made.detach()"),
        (
            ("F.softplus(-f(x, y)).mean()", "F.softplus(f(made.detach(), y.roll(1))).mean()"),
            "not others",
        ),
        (("F.softplus(f(x, y)).mean()", "F.softplus(-f(made.detach(), y)).mean()"), "turned round"),
        (("F.softplus(-f(x, y)).mean()", "0"), "Only real pictures"),
        (("F.softplus(-f(x, y))", "F.softplus(f(made.detach(), y))"), "yours has the shape [2]"),
        (("F.softplus(-f(x, y)).sum()", "F.softplus(f(made.detach(), y)).sum()"), "take the mean"),
        (("F.softplus(-f(y, x)).mean()", "F.softplus(f(made.detach(), y)).mean()"), "f(x, y)"),
        (("F.softplus(-f(x, y)).mean()", "0.5 * F.softplus(f(made.detach(), y)).mean()"), "small"),
    ],
    setup=SETUP,
)


def _test_generator(generator_loss) -> None:
    f, x, made, y = _case()
    weight = 10.0
    found = call(
        generator_loss, f, x, made, y, weight, shape=(), reason="A loss is one number: two means."
    )
    game, apart = F.softplus(-f(made, y)).mean(), (x - made).abs()
    l1 = apart.mean()
    compare(
        found,
        game + weight * l1,
        slips={
            "The weight stands at the game; lambda weighs L1.": weight * game + l1,
            "The weight stands at both; lambda weighs L1 alone.": weight * (game + l1),
            "The weight is missing: lambda times L1.": game + l1,
            "D is not shown y: it judges f(made, y).": F.softplus(-f(made)).mean() + weight * l1,
            "That has D's sign: G wants *large* logits of what it made.": (
                F.softplus(f(made, y)).mean() + weight * l1
            ),
            "That is log(1 - D), the saturating loss; asked for is -log D.": (
                -F.softplus(f(made, y)).mean() + weight * l1
            ),
            "That is the squared error, L2; L1 is the mean of absolute differences.": (
                game + weight * apart.square().mean()
            ),
            "L1 is the mean over all pixels, not their sum.": (
                game + weight * apart.sum(),
                game + weight * apart.sum(1).mean(),
            ),
            "D judges the real pictures in yours; G learns from what D says of made ones.": (
                F.softplus(-f(x, y)).mean() + weight * l1
            ),
            "Only L1 is there.": weight * l1,
            "Only the game is there.": game,
        },
    )


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** The generator's loss of pix2pix: $-\\log D(y, G(y)) + \\lambda\\,"
        "\\mathbb E|x - G(y)|$, to be minimised, means over the batch and over pixels."
    ),
    stub='''\
def generator_loss(f, x, made, y, weight):
    """f(pictures, maps): logits; x the real pictures, made = G(y); weight: lambda."""
    game = ____
    l1 = ____
    return ____''',
    answer=("F.softplus(-f(made, y)).mean()", "(x - made).abs().mean()", "game + weight * l1"),
    test=_test_generator,
    hints=(
        "-log sigmoid(f) = softplus(-f), of the made pictures; lambda weighs one of the two terms.",
        "F.softplus(-f(made, y)).mean() + weight * (x - made).abs().mean()",
    ),
    mistakes=[
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).abs().mean()", "weight * game + l1"),
            "stands at the game",
        ),
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).abs().mean()", "weight * (game + l1)"),
            "stands at both",
        ),
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).abs().mean()", "game + l1"),
            "weight is missing",
        ),
        (
            ("F.softplus(-f(made)).mean()", "(x - made).abs().mean()", "game + weight * l1"),
            "not shown y",
        ),
        (
            ("F.softplus(f(made, y)).mean()", "(x - made).abs().mean()", "game + weight * l1"),
            "D's sign",
        ),
        (
            ("-F.softplus(f(made, y)).mean()", "(x - made).abs().mean()", "game + weight * l1"),
            "saturating",
        ),
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).square().mean()", "game + weight * l1"),
            "squared error",
        ),
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).abs().sum()", "game + weight * l1"),
            "not their sum",
        ),
        (
            ("F.softplus(-f(x, y)).mean()", "(x - made).abs().mean()", "game + weight * l1"),
            "judges the real",
        ),
        (
            ("F.softplus(-f(made, y))", "(x - made).abs().mean()", "game + weight * l1"),
            "yours has the shape [2]",
        ),
        (
            ("F.softplus(-f(made, y)).mean()", "(x - made).mean()", "game + weight * l1"),
            "small example",
        ),
    ],
    setup=SETUP,
    praise="`generator_loss` in `t2ilab/losses/pix2pix.py` is the same.",
)


def _scales():
    """Three halvings and doublings, each of which leaves its mark, and a map of 8 x 8."""

    def down(k):
        return lambda h: k * F.avg_pool2d(h.mean(1, keepdim=True), 2) + k

    def up(k):
        def layer(h):
            weight = torch.linspace(1, 2, h.shape[1])[None, :, None, None]
            return F.interpolate((h * weight).sum(1, keepdim=True) + k, scale_factor=2.0)

        return layer

    y = torch.arange(64.0).view(1, 1, 8, 8) / 64
    return [down(k) for k in (1.0, 2.0, 3.0)], [up(k) for k in (5.0, 7.0, 9.0)], y


def _decoded(downs, ups, y, join):
    h, kept = y, []
    for down in downs:
        h = down(h)
        kept.append(h)
    for i, up in enumerate(ups):
        h = up(join(i, h, kept))
    return h


def _test_skips(unet) -> None:
    downs, ups, y = _scales()
    with explained(
        RuntimeError,
        "A skip connects equal scales: what goes in after i doublings has the side of what came "
        "out i halvings before the innermost, kept[-1 - i].",
        about="Sizes of tensors must match",
    ):
        found = call(unet, downs, ups, y, shape=(1, 1, 8, 8), reason="Run all of `ups`.")

    def side_by_side(i, h, kept):
        return torch.cat([h, kept[-1 - i]], 1) if i else h

    compare(
        found,
        _decoded(downs, ups, y, side_by_side),
        "For a small example the picture should be {right}; yours is {found}.",
        slips={
            "Nothing is handed over: that is the encoder-decoder.": _decoded(
                downs, ups, y, lambda i, h, kept: h
            ),
            "The innermost scale is put beside itself: the first doubling takes h alone.": _decoded(
                downs, ups, y, lambda i, h, kept: torch.cat([h, kept[-1 - i]], 1)
            ),
            "The scales are added; a U-Net puts them side by side, as further channels.": _decoded(
                downs, ups, y, lambda i, h, kept: h + kept[-1 - i] if i else h
            ),
            "The order is turned round: first h, then what was kept.": _decoded(
                downs, ups, y, lambda i, h, kept: torch.cat([kept[-1 - i], h], 1) if i else h
            ),
        },
    )


_UNET = '''\
def unet(downs, ups, y):
    """y through all of `downs` (each halves the side) and then of `ups` (each doubles it).

    From the second doubling on, put beside h, after its channels, what the encoder had at the same
    side.
    """
    h, kept = y, []
    raise NotImplementedError
    return h'''


def _unet(body: str) -> str:
    return _UNET.replace("    raise NotImplementedError\n", body)


_ENCODER = "    for down in downs:\n        h = down(h)\n        kept.append(h)\n"

q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** A U-Net is an encoder-decoder that hands each scale over. Write how y "
        "runs through it; `torch.cat([a, b], 1)` puts channels side by side."
    ),
    stub=_UNET,
    answer=_unet(
        _ENCODER + "    for i, up in enumerate(ups):\n"
        "        h = up(torch.cat([h, kept[-1 - i]], 1) if i > 0 else h)\n"
    ),
    test=_test_skips,
    hints=(
        "Keep what each halving gives. The last one kept is h itself; the one before it has twice "
        "its side, as h has after one doubling.",
        "for i, up in enumerate(ups): h = up(torch.cat([h, kept[-1 - i]], 1) if i > 0 else h)",
    ),
    mistakes=[
        (_unet(_ENCODER + "    for up in ups:\n        h = up(h)\n"), "Nothing is handed over"),
        (
            _unet(
                _ENCODER + "    for i, up in enumerate(ups):\n"
                "        h = up(torch.cat([h, kept[-1 - i]], 1))\n"
            ),
            "put beside itself",
        ),
        (
            _unet(
                _ENCODER + "    for i, up in enumerate(ups):\n"
                "        h = up(torch.cat([h, kept[i]], 1) if i > 0 else h)\n"
            ),
            "A skip connects equal scales",
        ),
        (
            _unet(
                _ENCODER + "    for i, up in enumerate(ups):\n"
                "        h = up(torch.cat([h, kept[-i]], 1) if i > 0 else h)\n"
            ),
            "A skip connects equal scales",
        ),
        (
            _unet(
                _ENCODER + "    for i, up in enumerate(ups):\n"
                "        h = up(h + kept[-1 - i] if i > 0 else h)\n"
            ),
            "are added",
        ),
        (
            _unet(
                _ENCODER + "    for i, up in enumerate(ups):\n"
                "        h = up(torch.cat([kept[-1 - i], h], 1) if i > 0 else h)\n"
            ),
            "turned round",
        ),
        (_unet(_ENCODER), "yours has the shape [1, 1, 1, 1]"),
    ],
    setup=SETUP,
    praise="`UNet.forward` in `t2ilab/models/pix2pix.py` does it so.",
)


def _test_field(receptive_field) -> None:
    for kernels, strides, right in (
        ([4, 4, 4, 4, 4], [2, 2, 2, 1, 1], 70),
        ([3, 5], [2, 1], 11),
        ([1, 1], [1, 1], 1),
    ):
        found = call(receptive_field, kernels, strides, kind=float, reason="Pixels a side.")
        forward, no_stride, late = 1, 1, 1
        for k, s in zip(kernels, strides, strict=True):
            forward, no_stride = (forward - 1) * s + k, no_stride + k - 1
        for k, s in zip(reversed(kernels), reversed(strides), strict=True):
            late = late * s + k
        where = f"kernels {kernels}, strides {strides}"
        compare(
            found,
            right,
            f"For {where} it should be {right} pixels; yours is {{found}}.",
            slips={
                f"For {where} yours is {{found}}, as if the picture came in at the last layer: "
                "begin with r = 1 at the *last* layer and go back to the first.": forward,
                f"For {where} yours is {{found}}, as if every stride were 1: a stride spreads what "
                "lies behind it.": no_stride,
                f"For {where} yours is {{found}}: r numbers have r - 1 steps between them, so "
                "(r - 1) stride + kernel.": late,
            },
        )


_FIELD = '''\
def receptive_field(kernels, strides):
    """Pixels a side that one output number sees; the layers from the input to the output."""
    r = 1
    for kernel, stride in ____:
        r = ____
    return r'''

q5 = Exercise(
    name="q5",
    question=(
        "**Exercise 5.** How large is the patch that one logit sees? $r$ neighbouring numbers of a "
        "layer's output see $(r - 1) \\cdot \\text{stride} + \\text{kernel}$ of its input."
    ),
    stub=_FIELD,
    answer=("zip(kernels[::-1], strides[::-1])", "(r - 1) * stride + kernel"),
    test=_test_field,
    hints=(
        "Begin with one logit and walk back to the picture.",
        "for kernel, stride in zip(kernels[::-1], strides[::-1]): r = (r - 1) * stride + kernel",
    ),
    mistakes=[
        (("zip(kernels, strides)", "(r - 1) * stride + kernel"), "at the *last* layer"),
        (("zip(kernels, strides)", "r + kernel - 1"), "every stride were 1"),
        (("zip(kernels[::-1], strides[::-1])", "r * stride + kernel"), "(r - 1) stride + kernel"),
        (("zip(kernels[::-1], strides[::-1])", "r * kernel"), "it should be 70"),
    ],
    setup=SETUP,
    praise="70 pixels: the discriminator of the paper. `t2ilab/exact/receptive.py` has it too.",
)


def _test_iou(class_iou) -> None:
    maps = torch.tensor([[[0, 0, 1], [0, 1, 1]], [[2, 2, 0], [0, 0, 0]]])
    found = torch.tensor([[[0, 1, 1], [0, 1, 0]], [[2, 0, 0], [0, 0, 1]]])
    value = call(class_iou, found, maps, 3, shape=(), reason="One number: the mean over labels.")
    both = torch.stack([((found == k) & (maps == k)).sum() for k in range(3)]).float()
    either = torch.stack([((found == k) | (maps == k)).sum() for k in range(3)]).float()
    of_map = torch.stack([(maps == k).sum() for k in range(3)]).float()
    of_found = torch.stack([(found == k).sum() for k in range(3)]).float()
    compare(
        value,
        (both / either).mean(),
        slips={
            "That is the per-pixel accuracy: the ground counts for most of it.": (
                (found == maps).float().mean()
            ),
            "That divides by the map's pixels alone, per-class accuracy: a label found everywhere "
            "would score 1. Divide by the union.": (both / of_map).mean(),
            "That divides by the found pixels alone; divide by the union.": (
                (both / of_found).mean()
            ),
            "The pixels that are in both are counted twice below: the union is found | map.": (
                (both / (of_map + of_found)).mean()
            ),
            "All labels are put together; take each label's ratio, then the mean.": (
                both.sum() / either.sum()
            ),
            "That is the sum over the labels; take the mean.": (both / either).sum(),
        },
    )
    absent = class_iou(torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2).long(), 1)
    if not same(absent, 1.0):
        raise Wrong("Where all is found right it should be 1.")


q6 = Exercise(
    name="q6",
    question=(
        "**Exercise 6.** Class IoU: for each label the pixels where it is found *and* in the map, "
        "over those where it is found *or* in the map; then the mean over labels."
    ),
    stub='''\
def class_iou(found, maps, labels):
    """A number in [0, 1]; found, maps: labels [b, h, w], from 0 to labels - 1, all there."""
    ious = []
    for k in range(labels):
        both = ____
        either = ____
        ious.append(both.sum() / either.sum())
    return ____''',
    answer=("(found == k) & (maps == k)", "(found == k) | (maps == k)", "torch.stack(ious).mean()"),
    test=_test_iou,
    hints=(
        "Masks of booleans: & is and, | is or.",
        "(found == k) & (maps == k), the same with |, and torch.stack(ious).mean().",
    ),
    mistakes=[
        (
            ("(found == maps)", "torch.ones_like(maps)", "torch.stack(ious).mean()"),
            "per-pixel accuracy",
        ),
        (
            ("(found == k) & (maps == k)", "(maps == k)", "torch.stack(ious).mean()"),
            "per-class accuracy",
        ),
        (
            ("(found == k) & (maps == k)", "(found == k)", "torch.stack(ious).mean()"),
            "found pixels alone",
        ),
        (
            (
                "(found == k) & (maps == k)",
                "(found == k).long() + (maps == k).long()",
                "torch.stack(ious).mean()",
            ),
            "counted twice",
        ),
        (
            ("(found == k) & (maps == k)", "(found == k) | (maps == k)", "torch.stack(ious).sum()"),
            "take the mean",
        ),
        (
            ("(found == k) & (maps == k)", "(found == k) | (maps == k)", "torch.stack(ious)"),
            "yours has the shape [3]",
        ),
        (
            (
                "(found != k) & (maps != k)",
                "(found == k) | (maps == k)",
                "torch.stack(ious).mean()",
            ),
            "small example",
        ),
    ],
    setup=SETUP,
    praise="`agreement` in `t2ilab/metrics/maps.py` counts all labels at once.",
)
