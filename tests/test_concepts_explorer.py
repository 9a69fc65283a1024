"""The explorer of concepts: films of an ascent, and what it draws of them."""

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore.concepts import ConceptsExplorer, Film, concept_renderer, film


def a_film(n=3):
    return Film(np.zeros((4, n, 8, 8, 3), np.uint8), (0, 2, 4, 6))


def test_moments_of_a_film_are_drawn():
    films = {"a red bird": a_film()}
    render = concept_renderer(films, columns=3)
    first, last = render(concept="a red bird", moment=0), render(concept="a red bird", moment=3)
    assert first.size == last.size and np.array(first).any()
    assert np.array_equal(np.array(render(concept="a red bird", moment=9)), np.array(last))
    with pytest.raises(UsageError, match="concept"):
        render(concept="blue", moment=0)


def test_the_explorer_shows_what_the_renderer_draws():
    explorer = ConceptsExplorer({"a": a_film(), "b": a_film(4)})
    assert explorer.contact_sheet([{"concept": "b", "moment": 1}], [""], columns=1).width > 100
    with pytest.raises(UsageError, match="nothing to scrub"):
        ConceptsExplorer({})


def test_a_film_of_a_system():
    from test_introspective_text import system

    one = film(system(), "a red bird", 2, steps=8, frames=4)
    assert one.frames.shape[1:] == (2, 32, 32, 3) and one.steps[0] == 0 and one.steps[-1] == 8
    start = torch.zeros(1, 3, 32, 32)
    assert film(system(), "a red bird", start=start, steps=4, frames=4).frames.shape[1] == 1


def test_frames_without_steps_are_refused():
    with pytest.raises(UsageError, match="one for each"):
        Film(np.zeros((2, 1, 4, 4, 3), np.uint8), (0,))


def an_explorer_with_a_composer():
    from test_introspective_text import system

    explorer = ConceptsExplorer({"a red bird": a_film()}, system=system(), n=2)
    explorer.composer.fields["steps"].min = 4
    explorer.composer.fields["steps"].value = 4
    return explorer


def test_what_is_composed_is_drawn_and_can_be_picked_again():
    explorer = an_explorer_with_a_composer()
    fields, before = explorer.composer.fields, explorer.image.value
    for join, words in (("alone", ""), ("AND", " AND "), ("OR", " OR "), ("AND NOT", " AND NOT ")):
        fields["join"].value = join
        assert fields["other"].disabled == (join == "alone")
        explorer.composer.button.click()
        assert words in explorer.state["concept"] and explorer.image.value != before
        assert not explorer.message.value and not explorer.composer.button.disabled
        before = explorer.image.value
    assert len(explorer.films) == 5
    fields["seed"].value = 3
    explorer.compose()
    assert len(explorer.films) == 6 and "seed 3" in explorer.state["concept"]
    explorer.compose()  # nothing has changed, so nothing is drawn again
    assert len(explorer.films) == 6
    explorer.set(concept="a red bird")
    assert explorer.state["concept"] == "a red bird"


def test_nonsense_in_the_composer_is_said_and_the_picture_stays():
    explorer = an_explorer_with_a_composer()
    fields = explorer.composer.fields
    for phrase, other, part in (
        ("xyzzy plugh", "a red bird", "xyzzy"),
        ("", "a red bird", "empty"),
        ("a red bird", "a red bird", "no picture is both"),
    ):
        fields["phrase"].value, fields["other"].value = phrase, other
        explorer.compose()
        assert part in explorer.message.value and len(explorer.films) == 1
        assert not explorer.composer.button.disabled and explorer.image.value
