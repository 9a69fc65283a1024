"""Can a network be trained to tell generated pictures from real ones?

What a classifier finds in pictures that it was not trained on is a difference between two sets that
no fixed extractor is asked for (Lopez-Paz and Oquab 2017): the grain of the paper, for instance.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.reader import AttributeReader


def telling_auc(
    real: Float[Tensor, "n 3 h w"],
    fake: Float[Tensor, "m 3 h w"],
    *,
    steps: int = 300,
    batch_size: int = 64,
    seed: int = 0,
) -> float:
    """Area under the ROC curve on held-out pictures: 0.5 cannot tell, 1 always tells.

    A small convolutional network is trained on the first half of each set, and tested on the rest.

    Args:
        real, fake: in [-1, 1]; as many of each are used as there are of the fewer.
        steps: of training.
        batch_size: pictures a step, half of each kind.
        seed: of the first weights and of the choice.

    Raises:
        UsageError: fewer than 100 pictures of a kind.
    """
    from torchmetrics.functional.classification import binary_auroc

    n = min(len(real), len(fake))
    if n < 100:
        raise UsageError(f"{n} pictures are too few to learn from: give at least 100 of each kind.")
    half, rng = n // 2, torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttributeReader(attributes={"real": 2}, width=16, features=64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    labels = torch.arange(batch_size) % 2
    for _ in range(steps):
        chosen = torch.randint(half, (batch_size,), generator=rng)
        x = torch.where((labels == 1)[:, None, None, None], real[chosen], fake[chosen])
        if torch.rand((), generator=rng) < 0.5:
            x = x.flip(3)
        loss = F.cross_entropy(network(x)["real"], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held_out = torch.cat([real[half:n], fake[half:n]])
    sure = network.logits(held_out)["real"].diff(dim=1)[:, 0]
    return float(binary_auroc(sure, (torch.arange(len(sure)) < n - half).long()))
