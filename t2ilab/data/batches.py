"""Batches of pictures without captions, a function of (seed, step) alone."""

import torch
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Order


class PictureBatches:
    """step -> {"images": uint8 [b, channels, h, w], "labels": int64 [b]}; a permutation an epoch.

    Args:
        data: the pictures; its classes, or the values of one of its attributes, are the labels.
        batch_size: pictures a batch.
        channels: 3, or 1 for pictures that are grey.
        label: an attribute of `data`; None: its classes.
        seed: of the order.

    Raises:
        UsageError: a batch size below 2 or above the number of pictures.
    """

    def __init__(
        self,
        data: CaptionedImages,
        *,
        batch_size: int = 32,
        channels: int = 3,
        label: str | None = None,
        seed: int = 0,
    ):
        self.order = Order(data, batch_size, seed)
        self.images, self.channels = data.images, channels
        self.labels = data.classes if label is None else data.attributes[label]

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, *_ = self.order(step)
        images = torch.from_numpy(self.images[chosen][..., : self.channels]).permute(0, 3, 1, 2)
        return {"images": images, "labels": torch.from_numpy(self.labels[chosen])}
