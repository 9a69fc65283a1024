"""Training, saving and measuring embedding, similarity and affinity."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab import catalogue
from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.pairs import Truth
from t2ilab.errors import UsageError, WeightsError
from t2ilab.fit.machine import make_fabric
from t2ilab.recipes.train import train
from t2ilab.recipes.two_branch import found
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.two_branch import KINDS, EmbeddingSystem, load_two_branch
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.matching_batches import MatchingBatches
from t2ilab.trainers.two_branch import AffinityTrainer

CPU = make_fabric(device="cpu", precision="32-true")
WORLD = paperworld.world("birds")
NAMES = list(KINDS)


@pytest.fixture(scope="module")
def birds():
    return WORLD.load("train", 32, 600)


def encoder_of(data):
    torch.manual_seed(0)
    corpus = [c for captions in data.captions for c in captions]
    return GRUEncoder(Vocabulary.of(corpus), text=16, word=8, hidden=8)


def test_a_batch_tells_whose_captions_they_are_and_what_is_true(birds):
    encoder = encoder_of(birds)
    batch = MatchingBatches(birds, encoder, batch_size=16, each=2, group=4)(3)
    assert batch["images"].shape == (16, 3, 32, 32) and batch["fits"].shape == (16, 32)
    assert batch["owner"].tolist() == [*range(16)] * 2
    assert batch["fits"][batch["owner"], torch.arange(32)].all()
    plain = {picture.tobytes(): i for i, picture in enumerate(birds.images)}
    mirrored = {picture[:, ::-1].tobytes(): i for i, picture in enumerate(birds.images)}
    shown = batch["images"].permute(0, 2, 3, 1).numpy()
    which = np.array([(plain | mirrored)[picture.tobytes()] for picture in shown])
    assert 0 < sum(picture.tobytes() in mirrored for picture in shown) < 16
    facts = Truth(birds).values[which]
    same = (facts[:, None] == facts[None]).all(-1)
    assert np.array_equal(batch["same"].numpy(), same)
    groups = facts.reshape(4, 4, -1)
    assert ((groups != groups[:, :1]).sum(-1) <= 2).all()
    said = [[encoder.vocabulary.words[k - 2] for k in row if k > 1] for row in batch["numbers"]]
    for j, words in enumerate(said):
        stated = WORLD.read(" ".join(words))
        true = [
            all(WORLD.content[a][birds.attributes[a][i]] == v for a, v in stated.items())
            for i in which
        ]
        assert batch["fits"][:, j].tolist() == true


def test_batches_are_a_function_of_seed_and_step(birds):
    encoder = encoder_of(birds)
    one, two, other = (MatchingBatches(birds, encoder, batch_size=8, seed=s) for s in (0, 0, 1))
    two(7)
    assert all(torch.equal(a, b) for a, b in zip(one(5).values(), two(5).values(), strict=True))
    assert not torch.equal(one(5)["images"], other(5)["images"])
    with pytest.raises(UsageError, match="multiple of 8"):
        MatchingBatches(birds, encoder, batch_size=12)


def test_pictures_whose_caption_says_left_are_not_mirrored():
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(40, 32, 32, 3), dtype=np.uint8)
    said = [["a dog on the left"] if i % 2 else ["a dog"] for i in range(40)]
    data = CaptionedImages("dogs", images, said, np.arange(40), [str(i) for i in range(40)])
    encoder = encoder_of(data)
    batches = MatchingBatches(data, encoder, batch_size=40, each=1)
    assert batches.group == 1  # no facts are known
    batch = batches(0)
    where = {picture.tobytes(): i for i, picture in enumerate(images)}
    shown = batch["images"].permute(0, 2, 3, 1).numpy()
    as_is = {where[p.tobytes()] for p in shown if p.tobytes() in where}
    assert {*range(1, 40, 2)} <= as_is and len(as_is) < 40
    assert torch.equal(batch["fits"], torch.eye(40, dtype=torch.bool))


def test_the_target_of_a_regression_must_stand_still(birds):
    encoder = encoder_of(birds)
    make = catalogue.recipe("affinity").System.makes
    with pytest.raises(UsageError, match="freeze the encoder"):
        AffinityTrainer(encoder, make(text=16, width=2, hidden=8))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_learns_on_the_same_batch_and_a_trainer_comes_back(birds, name):
    recipe = catalogue.recipe(name)
    options = recipe.Options(system=name, profile="smoke", batch_size=32, lr=3e-3)
    built, again = recipe.build(options, None), recipe.build(options, None)
    batch = built.batches(0)
    losses = []
    for trainer in (built.trainer, again.trainer):
        trainer.setup(CPU)
        trainer.progress = 0.1
    for _ in range(12):
        losses.append(sum(built.trainer.step(batch).values()).item())
    assert losses[-1] < 0.9 * losses[0], losses
    again.trainer.load_state_dict(built.trainer.state_dict())
    one, two = (t.trainer.step(batch) for t in (built, again))
    assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("objective", ["hinge", "softmax"])
def test_a_term_of_weight_0_moves_nothing(objective):
    recipe = catalogue.recipe("embedding")
    given = dict(profile="smoke", batch_size=32, objective=objective)
    none = {name: 0.0 for name in ("picture_text", "text_picture", "pictures", "captions")}
    slopes = {}
    for term in none:
        options = recipe.Options(system="embedding", **given | none | {term: 1.0})
        built = recipe.build(options, None)
        built.trainer.setup(CPU)
        built.trainer.step(built.batches(0))
        networks = built.trainer.reading.branches
        slopes[term] = [
            sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None)
            for part in (networks.of_picture, networks.of_caption)
        ]
    assert min(slopes["picture_text"]) > 0 and min(slopes["text_picture"]) > 0
    assert slopes["pictures"][0] > 0 and slopes["pictures"][1] == 0
    assert slopes["captions"][0] == 0 and slopes["captions"][1] > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_system_is_trained_saved_and_matches_one_by_one_as_all_at_once(name, tmp_path):
    out = tmp_path / "run"
    trained = train(name, world="birds", profile="smoke", steps=2, out=out, show=False)
    system = load_two_branch(out)
    assert isinstance(system, KINDS[name]) and system.about["name"] == f"{name}-birds-32"
    assert {"facts_caption_1_unseen", "swapped_unseen", "near_setting"} <= {
        *system.about["measured"]
    }
    test = WORLD.load("test", 32, 12)
    said = [captions[k % 3] for k, captions in enumerate(test.captions)]
    table = system.match(test.images, said)
    assert torch.allclose(table, trained.system.match(test.images, said), atol=0.05)  # half floats
    for i in (0, 7):  # a batch, padded, equals one at a time
        alone = system.match(test.images[i : i + 1], [said[i]])
        assert torch.allclose(alone[0, 0], table[i, i], atol=1e-4)
    x = system.pictures(test.images)
    assert torch.allclose(x, system.pictures(to_float(test.images)), atol=1e-5)
    assert torch.allclose(x.norm(dim=1), torch.ones(12), atol=1e-4)
    with pytest.raises(UsageError, match="64 pixels"):
        system.pictures(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(UsageError):
        system.captions(["xyzzy"])


def test_other_weights_are_refused():
    with pytest.raises(WeightsError, match="no two branches"):
        load_two_branch("reader-birds")


def test_what_is_measured_is_measured_against_facts(birds):
    """A system that knows the facts has R@1 of 1 and tells swapped colours apart."""

    class Oracle(EmbeddingSystem):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.about = {}

        def pictures(self, images):
            return F.normalize(hot(test), dim=1)

        def captions(self, captions):
            rows = torch.zeros(len(captions), width)
            for row, caption in zip(rows, captions, strict=True):
                for a, v in WORLD.read(caption).items():
                    row[place[a] + WORLD.content[a].index(v)] = 1
            return rows

        def scores(self, pictures, captions):
            return pictures @ captions.T - 0.01 * captions.sum(1)

    place, width = {}, 0
    for name, values in WORLD.content.items():
        place[name], width = width, width + len(values)

    def hot(data):
        parts = [F.one_hot(torch.from_numpy(data.attributes[a]), len(v))
                 for a, v in WORLD.content.items()]  # fmt: skip
        return torch.cat(parts, 1).float()

    test = WORLD.load("test", 32, 150)
    measured = found(Oracle(), test)
    assert measured["facts_caption_1"] == 1 and measured["facts_picture_1"] == 1
    assert 0.5 < measured["ceiling_caption_1"] < 1
    with pytest.raises(UsageError, match="12 or more"):
        found(Oracle(), test.subset(slice(3)))


def test_others_in_a_batch_fit_no_caption_and_match_no_picture(birds):
    others = np.zeros((5, 32, 32, 3), np.uint8)
    batch = MatchingBatches(birds, encoder_of(birds), batch_size=16, group=4, others=others)(0)
    assert batch["images"].shape == (24, 3, 32, 32) and not batch["images"][16:].any()
    assert batch["fits"].shape == (24, 32) and not batch["fits"][16:].any()
    assert batch["same"].shape == (24, 24) and not batch["same"][16:].any()
    assert batch["owner"].max() == 15
    for name in NAMES:
        recipe = catalogue.recipe(name)
        built = recipe.build(recipe.Options(system=name, profile="smoke", batch_size=16), None)
        built.batches.others = others
        built.trainer.setup(CPU)
        assert all(v.isfinite() for v in built.trainer.step(built.batches(0)).values())


def test_crowds_are_learned_from_and_phrases_are_found_in_them(tmp_path):
    out = tmp_path / "run"
    train("similarity", data="crowds", profile="smoke", steps=2, out=out, show=False)
    about = load_two_branch(out).about
    assert about["name"] == "similarity-crowds-32"
    measured = about["measured"]
    assert 0 < measured["chance"] < measured["localised_upper"] <= 1
    assert {"localised", "largest", "facts_caption_1_unseen"} <= {*measured}


@pytest.mark.parametrize("name", ["embedding", "similarity"])
def test_a_trained_encoder_stays_as_it_is(name):
    recipe = catalogue.recipe(name)
    options = recipe.Options(
        system=name, profile="smoke", batch_size=16, encoder="encoder_mean-birds"
    )
    built = recipe.build(options, None)
    built.trainer.setup(CPU)
    before = load_encoder("encoder_mean-birds").state_dict()
    branches = built.trainer.reading.branches.of_caption
    weight = next(branches.parameters()).detach().clone()
    built.trainer.step(built.batches(0))
    after = built.trainer.reading.encoder.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert not torch.equal(next(branches.parameters()), weight)
