"""A running average of a network's weights, which draws better pictures than their last value."""

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average = decay · average + (1 - decay) · network; what is no float, and decay 0, is copied.

    Args:
        average, network: of one architecture; the buffers of batch norm are averaged as well.
    """
    now_of = network.state_dict()
    for name, mean in average.state_dict().items():
        if decay and mean.dtype.is_floating_point:
            mean.lerp_(now_of[name], 1 - decay)
        else:
            mean.copy_(now_of[name])
