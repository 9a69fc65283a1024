"""A training as a user has it, for its memory: `python -m bench.laptop PROFILE STEPS`.

Prints the most memory that this process held, in MiB.
"""

import json
import sys

from t2ilab.data import paperworld
from t2ilab.lab import peak_memory_mb
from t2ilab.recipes import PROFILES, train_text_gan
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary


def main(profile: str, steps: int) -> None:
    captions = paperworld.world("birds").load("val", PROFILES[profile].size, 200).captions
    vocabulary = Vocabulary.of(caption for five in captions for caption in five)
    encoder = GRUEncoder(vocabulary, text=PROFILES[profile].text)  # as good as a trained one here
    train_text_gan(
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
