"""From a name to a trained system: what `t2ilab train` and the notebooks call.

One function a kind of system: `train_text_gan` (the four GANs, on a world of PaperWorld or on a
public data set), `train_introspective` (INNg, WINN), `train_encoder`, `train_reader`,
`train_style`. Sizes stand in `PROFILES`, recipes
in `RECIPES`.
"""

from t2ilab.models.imagenet import load_classifier
from t2ilab.recipes.data import encode_all, load_data, reader_features
from t2ilab.recipes.encoder import (
    classifier_features,
    measure_matcher,
    train_encoder,
    train_matcher,
)
from t2ilab.recipes.introspective import INTROSPECTIVE, PLANS, load_pictures, train_introspective
from t2ilab.recipes.plans import PROFILES, RECIPES, Trained
from t2ilab.recipes.reader import accuracy, train_reader
from t2ilab.recipes.style import train_style
from t2ilab.recipes.text_gan import measure, train_text_gan
from t2ilab.trainers.text_gan import SYSTEMS

__all__ = [
    "INTROSPECTIVE",
    "PLANS",
    "PROFILES",
    "RECIPES",
    "SYSTEMS",
    "Trained",
    "accuracy",
    "classifier_features",
    "encode_all",
    "load_classifier",
    "load_data",
    "load_pictures",
    "measure",
    "measure_matcher",
    "reader_features",
    "train_encoder",
    "train_introspective",
    "train_matcher",
    "train_reader",
    "train_style",
    "train_text_gan",
]
