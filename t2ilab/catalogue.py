"""The systems of the course, a line each: what commands, their help and the tests read.

To add one: write its model, loss, trainer and recipe (`recipes/train.py` says what a recipe
offers), and add its line here.
"""

from importlib import import_module
from typing import Any, NamedTuple

from t2ilab.errors import choose


class Entry(NamedTuple):
    """What a system is, in a sentence, and the module of its recipe."""

    about: str
    recipe: str


CATALOGUE = {
    "text_gan": Entry("text-conditional GAN, Reed et al. 2016's baseline", "text_gan"),
    "gan_cls": Entry("text-conditional GAN, matching-aware discriminator", "text_gan"),
    "gan_int": Entry("text-conditional GAN, interpolated captions", "text_gan"),
    "gan_int_cls": Entry("both: matching-aware discriminator, interpolated captions", "text_gan"),
    "stackgan_one": Entry(
        "StackGAN's first stage: GAN-CLS with conditioning augmentation", "conditioned_gan"
    ),
    "stackgan": Entry("StackGAN's second stage, on a first one that is frozen", "stackgan"),
    "tac_gan": Entry(
        "GAN-CLS that is also asked for attributes, Dash et al. 2017", "conditioned_gan"
    ),
    "encoder": Entry("captions to vectors", "encoder"),
    "prior": Entry("what a sparse caption leaves open, filled in its vector", "prior"),
    "reader": Entry("attributes of a world from pictures", "reader"),
    "parts": Entry("where a bird's eye, beak and wings are, pixel by pixel", "parts"),
    "style": Entry("the noise behind a picture, for one generator", "style"),
    "inng": Entry("introspective network: a classifier that draws", "introspective"),
    "winn": Entry("Wasserstein introspective network", "introspective"),
    "winn_text": Entry(
        "introspective network that is told captions, and draws them", "introspective_text"
    ),
    "introspective_text": Entry(
        "similarity network that draws by its gradient, Le 2018, 4.1.1", "caption_critic"
    ),
    "wasserstein_text": Entry("the same with the Wasserstein loss, 4.1.2", "caption_critic"),
    "affinity_text": Entry("regression to word2vec beside a critic, 4.1.3", "caption_critic"),
    "factors": Entry("deconvolutional network that is told everything", "factors"),
    "rbm": Entry("restricted Boltzmann machine: digits by Gibbs sampling", "rbm"),
    "dbm": Entry("deep Boltzmann machine: two layers of causes behind digits", "dbm"),
    "vae": Entry("variational autoencoder", "vae"),
    "iwae": Entry("importance-weighted autoencoder, a tighter bound", "vae"),
    "gan": Entry("the game of two networks, multilayer perceptrons: points, digits", "gan"),
    "dcgan": Entry("the game of two convolutional networks, Radford et al. 2016", "dcgan"),
    "wgan": Entry("the Wasserstein game, a critic with clipped weights", "wgan"),
    "wgan_gp": Entry("the Wasserstein game, a critic with a gradient penalty", "wgan"),
    "lapgan": Entry("a pyramid of games: a small picture, then what enlarging it misses", "lapgan"),
    "progressive": Entry(
        "one game that grows from 4 x 4 pixels, Karras et al. 2018", "progressive"
    ),
    "biggan": Entry("residual networks told a class, Brock et al. 2019, at a small size", "biggan"),
    "embedding": Entry("pictures and captions in one space, two branches", "embedding"),
    "similarity": Entry("does a caption fit a picture? a classifier on two branches", "similarity"),
    "affinity": Entry("from a picture to its caption's vector, by regression", "affinity"),
    "damsm": Entry("words that find regions of pictures: AttnGAN's teacher", "damsm"),
    "attngan": Entry("text to image, places that attend to words, Xu et al. 2018", "attngan"),
    "cgan": Entry("conditional GAN: digits by their labels", "cgan"),
    "pix2pix": Entry("pictures from maps of their parts: L1, cGAN, both", "pix2pix"),
    "stn": Entry("classifier that looks through a window it places itself", "spatial_transformer"),
    "what_where": Entry("text GAN that is given a box to draw in, GAWWN, 2016", "what_where"),
    "draw": Entry("recurrent network that draws in strokes, with attention", "draw"),
    "sharpener": Entry("what sharpens the pictures of an alignDRAW, by a game", "sharpener"),
    "aligndraw": Entry("DRAW that reads a caption, and its words anew at each stroke", "aligndraw"),
}


def recipe(system: str) -> Any:
    """The recipe of a system (a module; see `recipes.train.Recipe`).

    Raises:
        UsageError: no such system; names the nearest and all.
    """
    where = CATALOGUE[choose("system", system, CATALOGUE)].recipe
    return import_module(where if "." in where else f"t2ilab.recipes.{where}")
