"""alignDRAW: its reader, its alignment, its prior, its bound, and the system that draws."""

import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.distributions import Independent, Normal, kl_divergence

from t2ilab.cli import main
from t2ilab.data import paperworld
from t2ilab.errors import CaptionError, UsageError
from t2ilab.fit.machine import make_fabric
from t2ilab.losses.aligndraw import kl_gaussians, log_ratio
from t2ilab.losses.draw import bernoulli, importance_weighted, kl_to_prior
from t2ilab.models.aligndraw import AlignDRAW, trimmed
from t2ilab.models.sharpener import Sharpener
from t2ilab.recipes import aligndraw as recipe
from t2ilab.recipes.options import make
from t2ilab.systems.aligndraw import AlignDraw
from t2ilab.text.tokens import MAX_WORDS, Vocabulary
from t2ilab.trainers.aligndraw import AlignDrawTrainer, WordBatches

WORDS = "a red blue bus boat in the sea sky".split()


def network(seed=0, **changed):
    torch.manual_seed(seed)
    sizes = dict(words=12, word=5, language=4, align=6, size=8, channels=1, glimpses=3, hidden=10,
                 looking=7, latent=3, read=2, write=4, colours=False)  # fmt: skip
    made = AlignDRAW(**sizes | changed)
    with torch.no_grad():  # as it is made the canvas is grey and the prior almost N(0, 1)
        for one in made.parameters():
            one += 0.3 * torch.randn(one.shape)
    return made.double()


def captions(b=5, longest=7, seed=1):
    """Word numbers of captions of 1 to `longest` words."""
    rng = torch.Generator().manual_seed(seed)
    numbers = torch.randint(1, 12, (b, longest), generator=rng)
    lengths = torch.randint(1, longest + 1, (b,), generator=rng)
    lengths[0] = longest
    return numbers * (torch.arange(longest) < lengths[:, None])


def noise(net, n, seed=0):
    return net.noise(n, torch.Generator().manual_seed(seed)).double()


def pictures(b=5, seed=2):
    return torch.randint(2, (b, 1, 8, 8), generator=torch.Generator().manual_seed(seed)).double()


def system(**changed):
    net = network(words=len(WORDS) + 2, channels=3, colours=True, **changed).float()
    return AlignDraw(Vocabulary(WORDS), net)


# The reader of words


def test_a_caption_is_read_alike_whatever_stands_beside_it_and_however_far_it_is_padded():
    net, numbers = network(), captions()
    together = net.reader(numbers)
    for i, row in enumerate(numbers):
        words = int((row > 0).sum())
        alone = net.reader(row[None, :words])[0]
        assert torch.allclose(together[i, :words], alone)
        assert (together[i, words:] == 0).all()
        longer = torch.nn.functional.pad(row[None, :words], (0, 9))
        assert torch.allclose(net.sentence(longer), net.sentence(row[None, :words]))


def test_the_second_lstm_reads_the_words_backwards():
    net, numbers = network(), torch.tensor([[3, 4, 5]])
    h, other = net.reader(numbers)[0], net.reader(torch.tensor([[3, 4, 6]]))[0]
    assert torch.equal(h[0, :4], other[0, :4])  # forwards, the first word knows of no other
    assert (h[0, 4:] != other[0, 4:]).any()  # backwards it has seen the last one


def test_trimmed_leaves_out_the_pads_that_all_end_with():
    assert trimmed(torch.tensor([[3, 0, 0, 0], [2, 5, 0, 0]])).tolist() == [[3, 0], [2, 5]]
    assert trimmed(torch.zeros(2, 4, dtype=torch.long)).shape == (2, 1)


# The alignment


def test_weights_of_the_words_sum_to_one_and_pads_have_none():
    net, numbers = network(), captions()
    drawn = net.generate(numbers, noise(net, 5))
    assert drawn.alpha.shape == (3, 5, 7)
    assert torch.allclose(drawn.alpha.sum(-1), torch.ones(3, 5).to(drawn.alpha))
    assert (drawn.alpha[:, numbers == 0] == 0).all()
    assert (drawn.alpha[0, 0] != drawn.alpha[1, 0]).any()  # looked at anew at every stroke


def test_the_alignment_is_a_softmax_of_v_tanh():
    net, numbers = network(), captions()
    said, h_dec = net.words_of(numbers), torch.randn(5, 10).double()
    h = net.reader(numbers)
    for i in range(5):
        words = int((numbers[i] > 0).sum())
        e = [net.v.weight[0] @ torch.tanh(net.keys.weight @ h[i, k] + net.query.weight @ h_dec[i]
             + net.keys.bias) for k in range(words)]  # fmt: skip
        assert torch.allclose(net.align(said, h_dec)[i, :words].double(),
                              torch.stack(e).softmax(0), atol=1e-6)  # fmt: skip


def test_without_alignment_every_word_weighs_the_same():
    net, numbers = network(alignment=False), captions()
    alpha = net.generate(numbers, noise(net, 5)).alpha
    for i, row in enumerate(numbers):
        words = int((row > 0).sum())
        assert torch.allclose(alpha[:, i, :words], torch.tensor(1 / words))


def test_the_same_noise_and_another_word_make_another_picture():
    net, eps = network(), noise(network(), 1)
    one, other = torch.tensor([[3, 4, 5]]), torch.tensor([[3, 4, 6]])
    first, again = (net.generate(one, eps).canvases[-1] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, net.generate(other, eps).canvases[-1])


# The prior and the bound


def test_the_kl_of_two_gaussians_is_that_of_torch():
    mu_q, s_q, mu_p, s_p = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    q = Independent(Normal(mu_q, s_q.exp()), 1)
    p = Independent(Normal(mu_p, s_p.exp()), 1)
    assert torch.allclose(kl_gaussians(mu_q, s_q, mu_p, s_p), kl_divergence(q, p))
    zero = torch.zeros_like(mu_q)
    assert torch.allclose(kl_gaussians(mu_q, s_q, zero, zero), kl_to_prior(mu_q, s_q))
    assert torch.allclose(kl_gaussians(mu_q, s_q, mu_q, s_q), torch.zeros(6).double())


def test_the_kl_of_one_latent_by_hand():
    """q = N(1, 1), p = N(0, 2²): ln 2 + (1 + 1)/8 - 1/2."""
    one = [torch.tensor([[v]]) for v in (1.0, 0.0, 0.0, math.log(2))]
    assert kl_gaussians(*one).item() == pytest.approx(math.log(2) + 0.25 - 0.5)


def test_the_log_ratio_is_that_of_the_densities():
    z, *rest = torch.randn(5, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    q, p = (rest[0], rest[1]), (rest[2], rest[3])
    wanted = (Normal(q[0], q[1].exp()).log_prob(z) - Normal(p[0], p[1].exp()).log_prob(z)).sum(-1)
    assert torch.allclose(log_ratio(z, q, p), wanted)


def test_the_first_prior_is_the_standard_one_and_the_later_ones_know_words_and_strokes():
    net, x = network(), pictures()
    numbers, other = captions(), captions(seed=9)
    done, again = net(x, numbers, noise(net, 5)), net(x, other, noise(net, 5))
    assert (done.prior_mu[0] == 0).all() and (done.prior_log_sigma[0] == 0).all()
    assert torch.equal(done.mu[0], again.mu[0])  # Q(Z_1 | x), without the caption
    assert (done.prior_mu[1] != again.prior_mu[1]).any()
    assert (done.mu[1] != again.mu[1]).any()
    assert done.prior_mu.abs().max() < 1 and done.prior_log_sigma.abs().max() < 1


def test_a_picture_drawn_with_the_posteriors_latents_is_the_same_picture():
    """`forward` and `generate` make the same strokes: z of one, as noise of the other's prior."""
    net, x, numbers = network(), pictures(), captions()
    done = net(x, numbers, noise(net, 5))
    eps = (done.z - done.prior_mu) / done.prior_log_sigma.exp()
    drawn = net.generate(numbers, eps)
    assert torch.allclose(drawn.canvases, done.canvases, atol=1e-6)
    assert torch.allclose(drawn.alpha, done.alpha, atol=1e-6)


def test_one_stroke_makes_a_conditional_variational_autoencoder():
    net, x, numbers = network(glimpses=1), pictures(), captions()
    eps = noise(net, 5)
    done = net(x, numbers, eps)
    h_enc = net.encoder(torch.cat([net._read(x, x - net.empty.sigmoid(), x.new_zeros(5, 10))[0],
                                   x.new_zeros(5, 10)], 1))[0]  # fmt: skip
    q = Normal(net.to_mu(h_enc), net.to_log_sigma(h_enc).exp())
    alpha = net.align(net.words_of(numbers), x.new_zeros(5, 10))
    s = torch.einsum("bl,blm->bm", alpha.double(), net.reader(numbers))
    h_dec = net.decoder(torch.cat([q.loc + q.scale * eps[0], s], 1))[0]
    logits = net.empty + net._write(h_dec)[0]
    bound = bernoulli(x, logits) - kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    ours = bernoulli(x, done.canvases[-1]) - kl_gaussians(
        done.mu, done.log_sigma, done.prior_mu, done.prior_log_sigma
    ).sum(0)
    assert torch.allclose(ours, bound, atol=1e-5)


def test_more_draws_of_z_make_the_bound_tighter():
    net, x, numbers = network().float(), pictures(10).float(), captions(10)
    rng = torch.Generator().manual_seed(0)
    log_w, kl = recipe.log_weights(net, x, numbers, 50, rng)
    assert log_w.shape == (50, 10) and kl.shape == (3, 10) and (kl >= 0).all()
    assert log_w.mean() < importance_weighted(log_w).mean()
    done = net(x, numbers, noise(net, 10).float())
    q, p = (done.mu, done.log_sigma), (done.prior_mu, done.prior_log_sigma)
    elbo = bernoulli(x, done.canvases[-1]) - kl_gaussians(*q, *p).sum(0)
    assert abs(float((elbo.mean() - log_w.mean()).detach())) < 6  # the same bound, of one draw


def test_gradients_reach_everything():
    net = network(channels=3, colours=True)
    x = torch.rand(5, 3, 8, 8).double()
    done = net(x, captions(), noise(net, 5))
    q, p = (done.mu, done.log_sigma), (done.prior_mu, done.prior_log_sigma)
    (kl_gaussians(*q, *p).sum() + done.canvases[-1].sum() + done.log_scale.sum()).backward()
    without = [name for name, one in net.named_parameters()
               if one.grad is None or not one.grad.any()]  # fmt: skip
    assert without == []


# The trainer and the batches


def small(world="scenes", n=40):
    data = paperworld.world(world).load("train", 32, n, asides=True)
    vocabulary = Vocabulary.of([c for few in data.captions for c in few])
    return data, vocabulary, recipe.numbers_of(vocabulary, data)


def test_batches_are_pictures_with_the_words_of_one_of_their_captions():
    data, vocabulary, numbers = small()
    batch = WordBatches(data, numbers, batch_size=8, unknown=0.0)(3)
    assert batch["images"].shape == (8, 3, 32, 32) and batch["images"].dtype == torch.uint8
    known = ["", *vocabulary.index][1:]
    rows = {data.images[i].tobytes(): i for i in range(len(data))}
    for picture, words in zip(batch["images"], batch["words"], strict=True):
        i = rows[picture.permute(1, 2, 0).numpy().tobytes()]
        said = " ".join(known[k] for k in words.tolist() if k)
        assert said in data.captions[i]
    again = WordBatches(data, numbers, batch_size=8, unknown=0.0)(3)
    assert torch.equal(again["words"], batch["words"])
    some = WordBatches(data, numbers, batch_size=40, unknown=0.5)(0)["words"]
    assert 0.3 < float((some == 1).float().sum() / (some > 0).sum()) < 0.7


def test_the_trainer_lowers_the_bound_and_keeps_the_floor():
    from t2ilab.fit import fit

    data, vocabulary, numbers = small()
    torch.manual_seed(0)
    net = AlignDRAW(words=len(vocabulary), word=8, language=8, align=8, hidden=16, looking=16,
                    latent=4, glimpses=2, read=2, write=8)  # fmt: skip
    trainer = AlignDrawTrainer(net, shown=numbers[:4, 0], lr=1e-2, floor=-2.05)
    batches = WordBatches(data, numbers, batch_size=8)
    done = fit(trainer, batches, steps=30, device="cpu", precision="32-true", show=False)
    assert done.history["nats"].iloc[-1] < done.history["nats"].iloc[0] - 100
    assert float(net.log_scale.detach().min()) >= -2.05
    assert trainer.strip().shape == (4, 32, 32, 3)


def test_what_is_drawn_without_looking_counts_as_said():
    """The hybrid objective: with its weight the network learns from the prior's z too."""
    data, vocabulary, numbers = small()
    batch = WordBatches(data, numbers, batch_size=8)(0)
    moved = {}
    for blind in (0.0, 1.0):
        torch.manual_seed(0)
        net = AlignDRAW(words=len(vocabulary), word=8, language=8, align=8, hidden=16, looking=16,
                        latent=4, glimpses=2, read=2, write=8)  # fmt: skip
        trainer = AlignDrawTrainer(net, shown=numbers[:4, 0], blind=blind)
        trainer.setup(make_fabric(device="cpu", precision="32-true"))
        told = trainer.step(batch)
        moved[blind] = net.to_prior.weight.detach().clone()
        assert (float(told["blind"]) > 1000) == bool(blind)
    assert not torch.equal(moved[0.0], moved[1.0])


def test_a_run_begins_with_the_network_of_another(tmp_path):
    words = "train aligndraw --world scenes --profile smoke --steps 2 --out"
    assert CliRunner().invoke(main, [*words.split(), f"{tmp_path}/one"]).exit_code == 0
    of = dict(system="aligndraw", world="scenes", profile="smoke")
    built = recipe.build(recipe.Options(**of, start=str(tmp_path / "one")), None)
    first = AlignDraw.load(tmp_path / "one").network.state_dict()
    own = built.trainer.draw.state_dict()
    assert all(torch.allclose(own[k], first[k], atol=1e-2) for k in own)
    assert built.more["start"]["steps"] == 2
    for changed in (dict(hidden=30), dict(strokes=2, latent=3)):
        with pytest.raises(UsageError, match="with the same sizes and words"):
            recipe.build(recipe.Options(**of, start=str(tmp_path / "one"), **changed), None)


# The system


def test_it_draws_captions_and_shows_how():
    made = system()
    pictures = made.draw("a red bus in the sea", n=3, seed=1)
    assert pictures.shape == (3, 8, 8, 3) and pictures.dtype == np.uint8
    film = made.film("a red bus in the sea", n=3, seed=1)
    assert (film.final == pictures).all() and (film.film.canvases[-1] == pictures).all()
    assert film.words == "a red bus in the sea".split() and film.alpha.shape == (3, 3, 6)
    assert len(film) == 3
    both = made.draw(["a red bus in the sea", "a blue boat"], seed=1)
    assert (both[0] == pictures[0]).all()  # the caption beside it changes nothing


def test_a_word_that_is_not_known_is_told_and_bad_captions_are_refused():
    made = system()
    assert made.film("a green bus", n=1).words == ["a", "<unk>", "bus"]
    assert made.unknown("a green bus") == ["green"]
    with pytest.raises(CaptionError, match="empty"):
        made.draw(" ")
    with pytest.raises(CaptionError, match="None of these words is known"):
        made.draw("xylophone")
    with pytest.raises(CaptionError, match="at most 60"):
        made.draw("bus " * (MAX_WORDS + 1))
    with pytest.raises(UsageError, match="1 to 1024"):
        made.film("a bus", n=0)
    with pytest.raises(UsageError, match="this alignDRAW looks at"):
        made.see_fit(torch.zeros(2, 1, 8, 8))


def test_it_is_saved_and_loaded_with_and_without_its_sharpener(tmp_path):
    about = dict(system="aligndraw", world="scenes", data="", command="", seconds=1.0, steps=1,
                 trained_on="cpu", measured={}, headline=[], more={})  # fmt: skip
    made = system()
    sharp = AlignDraw(made.encoder.vocabulary, made.network, Sharpener(size=8, text=8, width=2))
    for k, one in enumerate((made, sharp)):
        one.save(tmp_path / str(k), "one", **about)
        again = AlignDraw.load(tmp_path / str(k))
        assert (again.sharpener is None) == (k == 0)
        off = again.draw("a red bus", n=2).astype(int) - one.draw("a red bus", n=2)
        assert abs(off).max() <= 6  # half floats
    assert sharp.blurry().sharpener is None


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"read": 1}, "--read 1: a window has 2 to 8"),
        ({"looking": 0}, "looking 0: alignDRAW needs 1 or more"),
        ({"glimpses": 0}, "glimpses 0"),
    ],
)
def test_a_network_that_cannot_be_is_refused(changed, match):
    with pytest.raises(UsageError, match=match):
        network(**changed)


# The recipe


def test_captions_without_a_word_are_one_unknown_word():
    data, vocabulary, _ = small(n=2)
    data.captions[0][0] = "..."
    numbers = recipe.numbers_of(vocabulary, data)
    assert numbers[0, 0].tolist()[:2] == [1, 0]


def test_it_is_trained_on_scenes_by_one_command(tmp_path):
    words = f"train aligndraw --world scenes --profile smoke --steps 2 --out {tmp_path}/run"
    done = CliRunner().invoke(main, words.split(), prog_name="t2ilab")
    assert done.exit_code == 0, done.output
    made = AlignDraw.load(tmp_path / "run")
    measured = made.about["measured"]
    assert {"named", "named_unseen", "mass", "mass_even", "nats_1", "nats_20", "kl_01", "fid",
            "consistency_all_unseen", "bits_a_value"} <= set(measured)  # fmt: skip
    assert measured["nats_20"] <= measured["nats_1"]


def test_wrong_options_say_what_was_wrong():
    with pytest.raises(UsageError, match="align"):
        make(recipe.Options, "aligndraw", {"align": "maybe"})
    with pytest.raises(UsageError, match="--strokes 0"):
        make(recipe.Options, "aligndraw", {"strokes": 0})
    with pytest.raises(UsageError, match="data set"):
        make(recipe.Options, "aligndraw", {"data": "cifar10"})


def test_it_learns_photographs_with_sentences(tmp_path):
    """Flickr8k's layout; words that occur less than three times are unknown."""
    (tmp_path / "Flicker8k_Dataset").mkdir()
    names, lines = [f"{k}_a.jpg" for k in range(12)], []
    for k, name in enumerate(names):
        picture = np.random.default_rng(k).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "Flicker8k_Dataset" / name)
        said = ["A dog sits .", "A dog runs .", "A red dog .", "The dog .", "Dogs !" if k else "!"]
        lines += [f"{name}#{i}\t{text}" for i, text in enumerate(said)]
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(lines))
    for part in ("train", "dev", "test"):
        (tmp_path / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names))
    words = f"train aligndraw --data flickr8k --root {tmp_path} --profile smoke --steps 2"
    done = CliRunner().invoke(main, [*words.split(), "--out", f"{tmp_path}/run"])
    assert done.exit_code == 0, done.output
    made = AlignDraw.load(tmp_path / "run")
    assert {"dog", "sits", "runs", "red"} <= set(made.encoder.vocabulary.words)
    assert "nats_1" in made.about["measured"] and "named" not in made.about["measured"]
