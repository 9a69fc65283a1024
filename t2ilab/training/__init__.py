"""From a name to a trained system: what `t2ilab train` and the notebooks call.

One function a kind of system: `train_text_gan` (the four GANs, on a world of PaperWorld or on a
public data set), `train_introspective` (INNg, WINN), `train_encoder`, `train_reader`,
`train_style`. Sizes stand in `PROFILES`, recipes
in `RECIPES`.
"""

from t2ilab.trainers.text_gan import SYSTEMS
from t2ilab.training.data import encode_all, load_data, reader_features
from t2ilab.training.encoders import (
    classifier_features,
    load_classifier,
    measure_matcher,
    train_encoder,
    train_matcher,
)
from t2ilab.training.gans import measure, train_text_gan
from t2ilab.training.introspection import (
    INTROSPECTIVE,
    PLANS,
    load_pictures,
    train_introspective,
)
from t2ilab.training.plans import PROFILES, RECIPES, Trained
from t2ilab.training.readers import accuracy, train_reader
from t2ilab.training.styles import train_style

__all__ = ["INTROSPECTIVE", "PLANS", "PROFILES", "RECIPES", "SYSTEMS", "Trained", "accuracy",
           "classifier_features", "encode_all", "load_classifier", "load_data", "load_pictures",
           "measure", "measure_matcher", "reader_features", "train_encoder", "train_introspective",
           "train_matcher", "train_reader", "train_style", "train_text_gan"]
