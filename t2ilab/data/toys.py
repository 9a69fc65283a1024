"""Five toys in grey, seen from all sides under a moving light: a small stand-in for NORB.

The "3D objects" of Mansimov's slides are NORB's plastic toys (LeCun et al. 2004), which
Salakhutdinov and Hinton (2009) modelled by a Boltzmann machine. Here a box, a cone, a cylinder, a
ring and a car are given by their distance functions, and drawn by sphere tracing (Hart 1996) with
Lambert's shading.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError, choose

Points = Float[np.ndarray, "*n 3"]
SIZE = 24  # pixels a side, unless asked otherwise
LIGHTS = 4  # places of the light around the toy
TEST = 6  # every sixth view is for the test: each of its neighbours was seen
ELEVATION, LAMP = np.deg2rad(30), np.deg2rad(45)  # of the camera, and of the light
GROUND, DARK = 0.85, 0.12  # grey of what is behind, and of a side without light
STEPS, FAR, NEAR = 40, 6.0, 1e-3  # of sphere tracing


def _box(p: Points, half: tuple[float, float, float]) -> Float[np.ndarray, "*n"]:
    q = np.abs(p) - np.array(half)
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def _cylinder(p: Points, radius: float, half: float) -> Float[np.ndarray, "*n"]:
    """Upright: its axis is z."""
    q = np.stack([np.linalg.norm(p[..., :2], axis=-1) - radius, np.abs(p[..., 2]) - half], -1)
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def box(p: Points) -> Float[np.ndarray, "*n"]:
    return _box(p, (0.9, 0.45, 0.55))


def cone(p: Points) -> Float[np.ndarray, "*n"]:
    """A lower bound of the distance: of the slope, and of the floor. It leans, to show its side."""
    x = p - np.array([0.35, 0, 0]) * (p[..., 2:] + 0.7) / 1.4
    slope = (np.linalg.norm(x[..., :2], axis=-1) - 0.85 * (0.7 - x[..., 2]) / 1.4) * 0.8
    return np.maximum(slope, -x[..., 2] - 0.7) * 0.85


def cylinder(p: Points) -> Float[np.ndarray, "*n"]:
    """Lying, its axis along x."""
    return _cylinder(p[..., [1, 2, 0]], 0.5, 0.95)


def ring(p: Points) -> Float[np.ndarray, "*n"]:
    """A torus that stands on its rim."""
    q = np.linalg.norm(p[..., [0, 2]], axis=-1) - 0.7
    return np.hypot(q, p[..., 1]) - 0.27


def car(p: Points) -> Float[np.ndarray, "*n"]:
    body = _box(p + np.array([0, 0, 0.1]), (1.0, 0.45, 0.22))
    cabin = _box(p - np.array([-0.2, 0, 0.3]), (0.45, 0.4, 0.25))
    wheels = [
        _cylinder((p - np.array([x, y, -0.35]))[..., [0, 2, 1]], 0.24, 0.1)
        for x in (-0.6, 0.6)
        for y in (-0.45, 0.45)
    ]
    return np.minimum.reduce([body, cabin, *wheels])


TOYS: dict[str, Callable[[Points], np.ndarray]] = {
    "box": box, "cone": cone, "cylinder": cylinder, "ring": ring, "car": car,
}  # fmt: skip


def render(
    toy: str, azimuth: float, light: float, size: int = SIZE
) -> UInt8[np.ndarray, "size size"]:
    """One picture.

    Args:
        toy: a key of `TOYS`.
        azimuth: of the camera around the toy, in radians.
        light: of the light around the toy, seen from the camera, in radians.
        size: side in pixels, 8 to 256.

    Raises:
        UsageError: an unknown toy, an angle that is not finite, or such a size.
    """
    _see_fit(toy, azimuth, size)
    if not np.isfinite(light):
        raise UsageError(f"light {light}: give a finite angle, in radians.")
    hit, normal = _surface(toy, float(azimuth), int(size))
    lamp = _frame(azimuth + light, LAMP)[2]
    grey = np.where(hit, DARK + (1 - DARK) * np.maximum(normal @ lamp, 0), GROUND)
    mean = grey.reshape(size, 2, size, 2).mean((1, 3))
    return (255 * mean).round().astype(np.uint8)


def _see_fit(toy: str, azimuth: float, size: int) -> None:
    choose("toy", toy, TOYS)
    if not isinstance(size, int | np.integer) or not 8 <= size <= 256:
        raise UsageError(f"size {size!r}: give 8 to 256 pixels.")
    if not np.isfinite(azimuth):
        raise UsageError(f"azimuth {azimuth}: give a finite angle, in radians.")


@lru_cache(maxsize=256)  # all views of all toys: 10 MB at 24 pixels
def _surface(
    toy: str, azimuth: float, size: int
) -> tuple[Bool[np.ndarray, "s s"], Float[np.ndarray, "s s 3"]]:
    """Where parallel rays hit, two a pixel and direction for smooth edges, and the normal there."""
    distance, fine = TOYS[toy], 2 * size
    right, up, back = _frame(azimuth, ELEVATION)
    steps = (np.arange(fine) + 0.5) / fine * 2.9 - 1.45
    start = steps[None, :, None] * right - steps[:, None, None] * up + 3 * back
    far = np.zeros((fine, fine, 1))
    for _ in range(STEPS):
        far += np.maximum(distance(start - far * back), 0)[..., None]
    at = start - far * back
    hit = (far[..., 0] < FAR) & (distance(at) < 20 * NEAR)
    normal = np.stack([distance(at + NEAR * e) - distance(at - NEAR * e) for e in np.eye(3)], -1)
    return hit, normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9)


def _frame(azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right, up, and towards the one who looks."""
    c, s, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    return np.array([-s, c, 0]), np.array([-c * se, -s * se, ce]), np.array([c * ce, s * ce, se])


def mask(toy: str, azimuth: float, size: int = SIZE) -> UInt8[np.ndarray, "size size"]:
    """Where the toy is, 255, and where the ground is, 0; raises as `render` does."""
    _see_fit(toy, azimuth, size)
    hit, _ = _surface(toy, float(azimuth), int(size))
    return (255 * hit.reshape(size, 2, size, 2).mean((1, 3))).round().astype(np.uint8)


def every(size: int = SIZE, *, views: int = 36, lights: int = LIGHTS) -> CaptionedImages:
    """All toys from all sides under all lights.

    Args:
        size: side in pixels.
        views: azimuths around each toy, a multiple of 6.
        lights: places of the light around the toy, at least 1.

    Raises:
        UsageError: such a size, or such a number of views or lights.
    """
    if views < TEST or views % TEST:
        raise UsageError(f"{views} views: give a multiple of {TEST}.")
    if lights < 1:
        raise UsageError(f"{lights} lights: give at least 1.")
    rows = np.indices((len(TOYS), views, lights)).reshape(3, -1)
    toy, view, light = rows.astype(np.int64)
    angles = 2 * np.pi * view / views, 2 * np.pi * light / lights
    names = list(TOYS)
    grey = np.stack([render(names[k], a, b, size) for k, a, b in zip(toy, *angles, strict=True)])
    return CaptionedImages(
        f"toys/{size}",
        np.repeat(grey[..., None], 3, axis=-1),
        [[f"a {names[k]}"] for k in toy],
        toy,
        names,
        {"toy": toy, "view": view, "light": light},
    )


def load(split: str = "train", size: int = SIZE, *, views: int = 36) -> CaptionedImages:
    """Those of `every` of a split, "train" or "test": every sixth view is for the test.

    Raises:
        UsageError: an unknown split, or as `every`.
    """
    choose("split", split, ("train", "test"))
    found = every(size, views=views)
    test = found.attributes["view"] % TEST == TEST - 1
    return replace(found.subset(test == (split == "test")), name=f"toys/{split}/{size}")
