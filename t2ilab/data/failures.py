"""Pictures that cannot be read: what goes wrong when networks draw, made from real pictures.

A reader that has only seen what can be read answers for everything. `LEARNED` are the kinds of
failure that the AttributeReader learns to refuse, `HELD_OUT` the kinds that it is tested on and
never shown. Each function takes pictures [b, 3, h, w] in [-1, 1] and returns as many.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import choose

Pictures = Float[Tensor, "b 3 h w"]


def blurred(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Convolved with a Gaussian of standard deviation `sigma` pixels."""
    reach = max(1, round(2.5 * sigma))
    k = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / sigma) ** 2)
    k = (k / k.sum()).expand(x.shape[1], 1, 1, -1)
    for kernel, pad in ((k, (reach, reach, 0, 0)), (k.mT, (0, 0, reach, reach))):
        x = F.conv2d(F.pad(x, pad, mode="replicate"), kernel, groups=x.shape[1])
    return x


def _uniform(rng, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=rng)


def _from(rng, low: float, high: float) -> float:
    return float(_uniform(rng, low, high, 1))


def _coin(rng) -> bool:
    """True half of the time."""
    return bool(torch.rand((), generator=rng) < 0.5)


def _others(x: Pictures, rng) -> Pictures:
    """The pictures in another order: each place gets another picture, where there are two."""
    return x.roll(1 + int(torch.randint(max(1, len(x) - 1), (), generator=rng)), 0)


def _colours(x: Pictures, rng) -> Float[Tensor, "b 3 1 1"]:
    """A colour of each picture, from a pixel of its own or a free one."""
    b, _, h, w = x.shape
    at = torch.randint(h * w, (b,), generator=rng)
    own = x.flatten(2)[torch.arange(b), :, at]
    free = torch.rand(b, 1, generator=rng) < 0.4
    return torch.where(free, _uniform(rng, -1, 1, b, 3), own)[:, :, None, None]


def _boxes(x: Pictures, rng, low: float, high: float) -> Tensor:
    """A mask [b, 1, h, w] of one rectangle a picture, its sides from low to high of the side."""
    b, _, h, w = x.shape
    size, at = _uniform(rng, low, high, b, 2), torch.rand(b, 2, generator=rng)
    first = at * (1 - size)
    rows, columns = ((torch.arange(n)[None] + 0.5) / n for n in (h, w))
    inside = [
        (lines > first[:, k, None]) & (lines < (first + size)[:, k, None])
        for k, lines in enumerate((rows, columns))
    ]
    return (inside[0][:, None, :, None] & inside[1][:, None, None, :]).float()


def plain(x: Pictures, rng) -> Pictures:
    """One colour, or a slow change from one to another."""
    h = x.shape[2]
    one, other = _colours(x, rng), _colours(x, rng)
    way = torch.linspace(0, 1, h).view(1, 1, -1, 1) * _uniform(rng, 0, 1, len(x), 1, 1, 1).round()
    return (one + (other - one) * way).expand_as(x) + 0.03 * torch.randn(x.shape, generator=rng)


def boxes(x: Pictures, rng) -> Pictures:
    """One to four rectangles of a colour on a plain page."""
    drawn = plain(x, rng)
    for _ in range(1 + int(torch.randint(4, (), generator=rng))):
        mask = _boxes(x, rng, 0.1, 0.6)
        drawn = drawn * (1 - mask) + _colours(x, rng) * mask
    return drawn


def blobs(x: Pictures, rng) -> Pictures:
    """Soft spots of the picture's colours on a plain page, or on a page that is left."""
    b, _, h, w = x.shape
    drawn = plain(x, rng) if _coin(rng) else blurred(x, 0.12 * h)
    for _ in range(1 + int(torch.randint(4, (), generator=rng))):
        spots = F.interpolate(torch.randn(b, 1, 4, 4, generator=rng), (h, w), mode="bicubic")
        mask = torch.sigmoid(_from(rng, 4, 20) * (spots - _from(rng, 0.4, 1.2)))
        drawn = drawn * (1 - mask) + _colours(x, rng) * mask
    return drawn


def noise(x: Pictures, rng) -> Pictures:
    """White noise, or a smoother one, alone or over so much of a picture that nothing is left."""
    drawn = torch.randn(x.shape, generator=rng)
    if _coin(rng):
        drawn = blurred(drawn, _from(rng, 0.5, 0.06 * x.shape[2]))
        drawn = drawn / drawn.std((1, 2, 3), keepdim=True)
    drawn = drawn * _uniform(rng, 0.2, 0.8, len(x), 1, 1, 1) + _uniform(
        rng, -0.5, 0.5, len(x), 3, 1, 1
    )
    return drawn if _coin(rng) else 0.25 * x + drawn


def blur(x: Pictures, rng) -> Pictures:
    """So blurred that no part can be told from another."""
    return blurred(x, _from(rng, 0.09, 0.2) * x.shape[2])


def coarse(x: Pictures, rng) -> Pictures:
    """Five to ten pixels a side, enlarged, with the chequers of a transposed convolution."""
    few = 5 + int(torch.randint(6, (), generator=rng))
    small = F.interpolate(x, (few, few), mode="area")
    large = F.interpolate(small, x.shape[2:], mode="bilinear")
    rows, columns = (torch.arange(n) % 2 for n in x.shape[2:])
    grain = (rows[:, None] ^ columns[None]) * 2.0 - 1
    return large + _from(rng, 0, 0.2) * grain + 0.1 * torch.randn(x.shape, generator=rng)


def shuffled(x: Pictures, rng) -> Pictures:
    """Cut into squares, which are laid in another order."""
    b, c, h, w = x.shape
    n = (2, 4, 8)[int(torch.randint(3, (), generator=rng))]
    tiles = x.view(b, c, n, h // n, n, w // n).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand(b, n * n, generator=rng).argsort(1)
    tiles = tiles[torch.arange(b)[:, None], order]
    return tiles.view(b, n, n, c, h // n, w // n).permute(0, 3, 1, 4, 2, 5).reshape(x.shape)


def pasted(x: Pictures, rng) -> Pictures:
    """A rectangle of another picture over the middle, not aligned with what it covers."""
    mask = _boxes(x, rng, 0.35, 0.6)
    by = [int(torch.randint(n // 4, n // 2, (), generator=rng)) for n in x.shape[2:]]
    return x * (1 - mask) + _others(x, rng).roll(by, (2, 3)) * mask


def doubled(x: Pictures, rng) -> Pictures:
    """Two subjects, each in its half, or one over the other."""
    h, w = x.shape[2:]
    other = _others(x, rng)
    if _coin(rng):
        halves = [F.interpolate(p, (h, w // 2), mode="area") for p in (x, other)]
        return torch.cat(halves, 3)
    share = _from(rng, 0.4, 0.6)
    return share * x + (1 - share) * other.flip(3)


def _pulled(x: Pictures, strength: float, rng) -> Pictures:
    """Each pixel fetched from nearby, by a smooth field of that standard deviation (side: 2)."""
    b, _, h, w = x.shape
    grid = F.affine_grid(torch.eye(2, 3).expand(b, 2, 3), (b, 3, h, w), align_corners=False)
    pull = F.interpolate(torch.randn(b, 2, 6, 6, generator=rng), (h, w), mode="bicubic")
    grid = grid + strength * pull.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def warped(x: Pictures, rng) -> Pictures:
    """Pulled about as a sheet of rubber: the colours are there, the shape is not."""
    return _pulled(x, _from(rng, 0.25, 0.5), rng)


def smeared(x: Pictures, rng) -> Pictures:
    """Pulled about a little, blurred and noisy, as what a network draws that has begun to learn."""
    drawn = blurred(_pulled(x, _from(rng, 0.05, 0.15), rng), _from(rng, 0.035, 0.075) * x.shape[2])
    rough = blurred(torch.randn(x.shape, generator=rng), 0.02 * x.shape[2])
    return drawn + _from(rng, 0, 0.35) * rough / rough.std()


def two_headed(x: Pictures, rng) -> Pictures:
    """One half and its mirror image."""
    half = (x if _coin(rng) else x.flip(3))[..., : x.shape[3] // 2]
    return torch.cat([half, half.flip(3)], 3)


def erased(x: Pictures, rng) -> Pictures:
    """The middle painted over in a colour of its surroundings: a place without a subject."""
    b, _, h, w = x.shape
    mask = torch.zeros(b, 1, h, w)
    mask[:, :, int(0.15 * h) : int(0.9 * h), int(0.1 * w) : int(0.9 * w)] = 1
    mask = blurred(mask, 0.02 * h)
    edge = x[:, :, :, : max(1, w // 16)].mean(3, keepdim=True)
    return x * (1 - mask) + blurred(edge.expand_as(x), 0.03 * h) * mask


LEARNED: dict[str, Callable[..., Pictures]] = {
    one.__name__: one
    for one in (
        plain, boxes, blobs, noise, blur, coarse, shuffled, pasted, doubled, warped, smeared,
        two_headed, erased,
    )
}  # fmt: skip


def stripes(x: Pictures, rng) -> Pictures:
    """Bars of two of the picture's colours."""
    b, _, h, w = x.shape
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    slope, many = _uniform(rng, -1, 1, b, 1, 1), _uniform(rng, 2, 9, b, 1, 1)
    bars = torch.sin(6.28 * many * (rows + slope * columns) / h)[:, None] > 0
    return torch.where(bars, _colours(x, rng), _colours(x, rng)).expand_as(x)


def pinwheel(x: Pictures, rng) -> Pictures:
    """A quarter of the picture, laid four times around the middle."""
    h, w = x.shape[2:]
    top, left = (h // 2) * int(_coin(rng)), (w // 2) * int(_coin(rng))
    one = x[:, :, top : top + h // 2, left : left + w // 2]
    two, three, four = (one.rot90(k, (2, 3)) for k in (1, 2, 3))
    return torch.cat([torch.cat([one, four], 3), torch.cat([two, three], 3)], 2)


def outlines(x: Pictures, rng) -> Pictures:
    """Edges only, light on dark or dark on light: no colour is left."""
    grey = blurred(x, 0.012 * x.shape[2]).mean(1, keepdim=True)
    edges = F.pad(grey.diff(dim=2).abs(), (0, 0, 0, 1)) + F.pad(grey.diff(dim=3).abs(), (0, 1))
    edges = (3 * edges).clamp(0, 1).expand_as(x) * 2 - 1
    return edges if _coin(rng) else -edges


def shards(x: Pictures, rng) -> Pictures:
    """Cells around random points, each of the colour that the picture has at its point."""
    b, _, h, w = x.shape
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    y, z = (torch.randint(n, (b, 24), generator=rng) for n in (h, w))
    far = (rows[None, None] - y[..., None, None]) ** 2 + (
        columns[None, None] - z[..., None, None]
    ) ** 2
    nearest = far.argmin(1).flatten(1)
    colours = x[torch.arange(b)[:, None], :, y, z]
    return colours[torch.arange(b)[:, None], nearest].mT.reshape(x.shape)


def untrained(x: Pictures, rng) -> Pictures:
    """What a convolutional generator draws before it has learned anything."""
    h = torch.randn(len(x), 64, 4, 4, generator=rng)
    while h.shape[2] < x.shape[2]:
        before = h.shape[1]
        after = max(before // 2, 8)
        weight = torch.randn(before, after, 4, 4, generator=rng) / (before * 4) ** 0.5
        h = F.conv_transpose2d(h, weight, stride=2, padding=1)
        h = F.relu(h / h.std((0, 2, 3), keepdim=True))
    mix = torch.randn(3, h.shape[1], 1, 1, generator=rng)
    return torch.tanh(F.conv2d(h - h.mean((0, 2, 3), keepdim=True), mix / h.shape[1] ** 0.5))


HELD_OUT: dict[str, Callable[..., Pictures]] = {
    one.__name__: one for one in (stripes, pinwheel, outlines, shards, untrained)
}


def spoil(
    x: Pictures, rng: torch.Generator, kind: str | None = None, *, without: tuple[str, ...] = ()
) -> Pictures:
    """Pictures that cannot be read, made of x.

    Args:
        x: real pictures in [-1, 1], at least two.
        rng: of what is left to chance.
        kind: of LEARNED or HELD_OUT; None: the kinds of LEARNED, an equal share of each.
        without: kinds that are left out then.

    Returns:
        as many pictures, in [-1, 1].

    Raises:
        UsageError: there is no such kind.
    """
    if kind is not None:
        every = LEARNED | HELD_OUT
        return every[choose("kind of failure", kind, every)](x, rng).clamp(-1, 1)
    kinds = [make for name, make in LEARNED.items() if name not in without]
    parts = x[torch.randperm(len(x), generator=rng)].tensor_split(len(kinds))
    spoiled = [make(p, rng) for make, p in zip(kinds, parts, strict=True) if len(p)]
    return torch.cat(spoiled).clamp(-1, 1)
