"""Words that say that something is not so, which no picture can show."""

DENIALS = {"not", "no", "without", "never", "neither", "nor", "nothing", "non", "cannot", "minus"}


def denies(word: str) -> bool:
    """Whether a word, in lower case, says that something is not so: "not", "isn't", "without"."""
    return word in DENIALS or word.endswith("n't")
