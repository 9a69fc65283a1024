"""Mixed precision for trainers that call plain `loss.backward()`.

Fabric's own plug-in insists on `fabric.backward(loss)`, for the sake of the loss scaling that
float16 needs and bfloat16 does not.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from lightning_fabric.plugins import Precision
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor


class Bfloat16(Precision):
    """Forward passes under autocast to bfloat16; weights, losses and updates stay float32.

    Inputs are left as they are (autocast casts them where an operation wants it), outputs come
    back as float32, so that losses are computed in it.
    """

    precision = "bf16-mixed"

    def __init__(self, device: str):
        self.device = device

    def forward_context(self) -> AbstractContextManager:
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def convert_output(self, data: Any) -> Any:
        return apply_to_collection(data, dtype=Tensor, function=_to_float32)


def _to_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
