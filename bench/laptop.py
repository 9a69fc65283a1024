"""A training as a user has it, for its memory: `python -m bench.laptop PROFILE STEPS`.

Prints the most memory that this process held, in MiB.
"""

import json
import sys

from t2ilab.data import paperworld
from t2ilab.lab import peak_memory_mb
from t2ilab.recipes.encoder import PLANS as ENCODER_PLANS
from t2ilab.recipes.text_gan import PLANS
from t2ilab.recipes.train import train
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary


def main(profile: str, steps: int) -> None:
    captions = paperworld.world("birds").load("val", PLANS[profile].size, 200).captions
    vocabulary = Vocabulary.of(caption for five in captions for caption in five)
    encoder = GRUEncoder(vocabulary, text=ENCODER_PLANS[profile].text)
    train(
        "gan_int_cls",
        world="birds",
        profile=profile,
        steps=steps,
        device="cpu",
        encoder=encoder,
        show=False,
    )
    print(json.dumps([peak_memory_mb()]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
