"""How much a VAE knows of pictures that it never saw: its bounds of log p(x), and active units."""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.losses.variational import Terms, gaussian_kl, importance_bound, terms
from t2ilab.models.vae import VAE

ACTIVE = 0.01  # variance of the posterior mean over pictures; Burda et al. 2016, sect. 5.2
VALUES = 4_000_000  # pixels that are decoded at once


@torch.inference_mode()
def bounds(
    vae: VAE, pictures: Float[Tensor, "n c h w"], *, k: int, seed: int = 0
) -> dict[str, float | int]:
    """Bounds of log p(x) on pictures in [-1, 1], in nats a picture.

    Args:
        vae: what is measured.
        pictures: of the test set; where pixels are drawn, each is looked at once.
        k: samples of z a picture, 1 or more. L_k rises with k towards log p(x), and an estimate of
            it never flatters on average.
        seed: of epsilon, and of pixels that are drawn.

    Returns:
        "log_p_at_least", which is L_k, and "log_p_error", its standard error over the pictures;
        "samples", k; "elbo", which is L_1, as the mean over all samples; "kl" of q(z|x) and p(z);
        "bits_per_value", -L_k / (log 2 · values of a picture); "active_units", numbers of z (of all
        layers) whose posterior mean varies over the pictures by more than 0.01; "tested", n.

    Raises:
        UsageError: fewer than two pictures, of another size than the VAE's, or a k that is not a
            whole number of 1 or more.
    """
    if len(pictures) < 2:
        raise UsageError(f"{len(pictures)} pictures tell nothing of a test set: give 2 or more.")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(f"k = {k!r}: a bound needs 1 sample of z or more, a whole number.")
    if pictures.shape[-2:] != (vae.size, vae.size):
        raise UsageError(
            f"pictures of {list(pictures.shape[-2:])} pixels: this VAE is for {vae.size} x "
            f"{vae.size}."
        )
    generator = torch.Generator().manual_seed(seed)
    each = vae.channels * vae.size**2
    at_once = max(1, min(k, VALUES // each))
    found = [
        _of(vae, part, k, at_once, generator)
        for part in pictures.split(max(1, VALUES // each // at_once))
    ]
    elbo, l_k, kl = (torch.cat([one[i] for one in found]) for i in range(3))
    means = [torch.cat(layer) for layer in zip(*(one[3] for one in found), strict=True)]
    return {
        "log_p_at_least": float(l_k.mean()),
        "log_p_error": float(l_k.std() / len(l_k) ** 0.5),
        "samples": k,
        "elbo": float(elbo.mean()),
        "kl": float(kl.mean()),
        "bits_per_value": float(-l_k.mean() / each / log(2)),
        "active_units": sum(int((mean.var(0) > ACTIVE).sum()) for mean in means),
        "tested": len(pictures),
    }


def _of(vae: VAE, pictures: Tensor, k: int, at_once: int, generator: torch.Generator) -> tuple:
    """ELBO, L_k and KL of some pictures [b], and their posterior means, layer by layer [b, n]."""
    x, logs, means = vae.seen(pictures, generator), [], [0.0] * len(vae.latents)
    for done in range(0, k, at_once):
        samples = min(at_once, k - done)
        passed = vae(x, vae.noise(samples, len(x), generator))
        logs.append(terms(x, passed, vae.likelihood))
        for layer, (mu, _) in enumerate(passed.posteriors):
            means[layer] += mu.expand(samples, -1, -1).sum(0) / k
    of = Terms(*(torch.cat(parts) for parts in zip(*logs, strict=True)))
    log_w, kl = of.log_weights(), (of.log_qz - of.log_pz).mean(0)
    if len(vae.latents) == 1:
        kl = gaussian_kl(*passed.posteriors[0]).sum(1)
    return of.log_px.mean(0) - kl, importance_bound(log_w), kl, means
