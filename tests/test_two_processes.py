"""Two processes train one model (gloo, on the CPU), started by torchrun and by `fabric run`.

This file is also the script that they run: each process writes what it saw to `rank-N.json`.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_trainer import Tiny, TinyBatches, digest

from t2ilab import catalogue
from t2ilab.catalogue import CATALOGUE
from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.errors import TrainingError
from t2ilab.fit import fit
from t2ilab.models.dcgan import Discriminator, Generator
from t2ilab.models.introspective import Critic
from t2ilab.trainers.adversarial_training import AdversarialTraining
from t2ilab.trainers.gan import GAN, OBJECTIVES

STEPS = 12
NETWORKS = ("average", "opt_G", "opt_D", "D")  # G has statistics of its own part of each batch
OPTIONS = {"steps": STEPS, "device": "cpu", "precision": "bf16-mixed", "show": False}


def weights(trainer):
    return digest(trainer, *NETWORKS)


def whole_run(out, rank, trainer):
    """Weights that are not equal at the start, on purpose: they must become so."""
    before = weights(trainer)
    fitted = fit(trainer, TinyBatches(), out=out, **OPTIONS)
    noise = trainer.noise.get_state().tolist()
    return {
        "before": before,
        "whole": weights(trainer),
        "strips": len(fitted.strips),
        "noise": noise[:40],
        "steps": fitted.steps,
        "g": fitted.history["g"].tolist(),
    }


def interrupted_run(out, rank):
    """A signal to the second process stops both; then both go on."""
    trainer = Tiny(seed=0, stop_at=5 if rank == 1 else None)
    first = fit(trainer, TinyBatches(), out=out, save_every_s=0, **OPTIONS)
    resumed = Tiny(seed=3 + rank)
    fit(resumed, TinyBatches(), out=out, resume=True, **OPTIONS)
    return {"stopped": first.stopped, "at": first.steps, "resumed": weights(resumed)}


def minutes_run(out, rank):
    """The clocks differ, the decisions must not."""
    trainer = Tiny(seed=0)
    fitted = fit(trainer, TinyBatches(), minutes=0.01, **OPTIONS | {"steps": None})
    return {"minutes": fitted.stopped, "minutes_at": fitted.steps, "timed": weights(trainer)}


def refusals(out, rank):
    """What goes wrong on one process is raised on both."""
    said = []
    bad = Tiny(seed=0, nan_at=3 if rank == 1 else None)
    unwrapped = Tiny(seed=0)
    unwrapped.setup = lambda fabric: None
    apart = Tiny(seed=0)
    learn = apart.setup

    def setup(fabric):  # D's gradients stay in their process
        own = apart.D, apart.opt_D
        learn(fabric)
        apart.D, apart.opt_D = own

    apart.setup = setup
    for trainer, folder in [(bad, None), (unwrapped, None), (Tiny(), out), (apart, None)]:
        try:
            fit(trainer, TinyBatches(), out=folder, **OPTIONS)
        except TrainingError as error:
            said.append(str(error))
    return {"said": said}


def untrained(name, **given):
    """What another system needs, in place of what `prepare` would train."""
    recipe = catalogue.recipe(name)
    options = recipe.Options(system=name, device="cpu", **given)
    return recipe.build(options, untrained).finish()


def every_system(rank):
    """A few steps of each system of the catalogue, and of the two trainers that are in none."""
    seen, small = {}, {"text_gan": {"width": 2}, "introspective": {"width": 4}}
    for name, entry in CATALOGUE.items():
        recipe = catalogue.recipe(name)
        options = recipe.Options(
            system=name, profile="smoke", device="cpu", **small.get(entry.recipe, {})
        )
        built = recipe.build(options, untrained)
        fit(built.trainer, built.batches, **OPTIONS | {"steps": 3})
        seen[name] = parameters(built.trainer)
    for loss in ("l1", "gan"):  # without D; D without y
        recipe = catalogue.recipe("pix2pix")
        options = recipe.Options(system="pix2pix", profile="smoke", device="cpu", loss=loss)
        built = recipe.build(options, untrained)
        fit(built.trainer, built.batches, **OPTIONS | {"steps": 3})
        seen[f"pix2pix {loss}"] = parameters(built.trainer)
    pictures = paperworld.world("birds").load("train", 32, 64)
    batches = PictureBatches(pictures, batch_size=8)
    for objective in OBJECTIVES:
        gan = GAN(Generator(size=32, width=4), Critic(size=32, width=4), objective=objective)
        fit(gan, batches, **OPTIONS | {"steps": 3})
        seen[f"gan {objective}"] = parameters(gan)
    clipped = GAN(
        Generator(size=32, width=4), Discriminator(size=32, width=4),
        objective="wasserstein", optimizer="rmsprop", clip=0.01, k=2, fresh=True,
    )  # fmt: skip
    fit(clipped, batches, **OPTIONS | {"steps": 3})
    assert max(float(p.detach().abs().max()) for p in clipped.critic.parameters()) <= 0.01
    seen["gan clipped"] = parameters(clipped)
    dcgan = GAN(
        Generator(size=32, width=4), Discriminator(size=32, width=4),
        objective="logistic", k=2, fresh=True,
    )  # fmt: skip
    fit(dcgan, batches, **OPTIONS | {"steps": 3})
    seen["dcgan, k = 2"] = parameters(dcgan)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 200))
    robust = AdversarialTraining(network, epsilon=4 / 255, steps=1)
    fit(robust, batches, **OPTIONS | {"steps": 3})
    return seen | {"adversarial training": parameters(robust)}


def parameters(trainer):
    """A digest of all weights that are learned."""
    networks = [x for x in vars(trainer).values() if isinstance(x, torch.nn.Module)]
    every = [p.detach().numpy().tobytes() for network in networks for p in network.parameters()]
    return hashlib.sha256(b"".join(every)).hexdigest()


def main(out, scenarios):
    rank = int(os.environ["RANK"])
    if scenarios == "forever":
        fit(Tiny(seed=0, sleep=0.01), TinyBatches(), out=out / "run", **OPTIONS | {"steps": 10**6})
        return
    if scenarios == "systems":
        (out / f"rank-{rank}.json").write_text(json.dumps(every_system(rank)))
        return
    seen = whole_run(out / "whole", rank, Tiny(seed=rank))
    if scenarios == "all":
        seen |= {"same_start": whole_run(out / "same", rank, Tiny(seed=0))["whole"]}
        seen |= interrupted_run(out / "cut", rank) | minutes_run(None, rank)
        seen |= refusals(out / "whole", rank)
    (out / f"rank-{rank}.json").write_text(json.dumps(seen))


def launch(out, *launcher, scenarios):
    """Run this file in two processes; returns what each of them saw."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*launcher, __file__, str(out), scenarios],
        capture_output=True,
        text=True,
        timeout=900,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads((out / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def torchrun(tmp_path_factory):
    out = tmp_path_factory.mktemp("two")
    launcher = (
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    )
    return out, *launch(out, *launcher, scenarios="all")


def test_weights_become_equal_and_stay_so(torchrun):
    _, first, second = torchrun
    assert first["before"] != second["before"]
    assert first["whole"] == second["whole"]
    assert first["steps"] == second["steps"] == STEPS
    assert first["whole"] == first["same_start"]  # what the second one began with does not matter


def test_each_process_has_its_own_noise_and_its_own_part_of_the_batch(torchrun):
    _, first, second = torchrun
    assert first["noise"] != second["noise"]
    assert first["g"] != second["g"]


def test_only_the_first_takes_strips_and_writes(torchrun):
    out, first, second = torchrun
    assert first["strips"] > 0 == second["strips"]
    assert sorted(x.name for x in (out / "whole").iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
        "history.csv",
        "strips.npz",
    ]


def test_a_signal_to_one_stops_both_and_resume_is_exact(torchrun):
    _, first, second = torchrun
    assert first["stopped"] == second["stopped"] == "signal"
    assert 5 <= first["at"] == second["at"] < STEPS
    assert first["resumed"] == second["resumed"] == first["same_start"]


def test_a_budget_in_minutes_ends_at_the_same_step(torchrun):
    _, first, second = torchrun
    assert first["minutes"] == "minutes" and first["minutes_at"] == second["minutes_at"]
    assert first["timed"] == second["timed"]


def test_errors_of_one_are_raised_in_both(torchrun):
    _, first, second = torchrun
    assert first["said"] == second["said"]
    assert "the loss 'g' became nan at step 3" in first["said"][0]
    assert "passes no network to fabric.setup" in first["said"][1]
    assert "is not empty" in first["said"][2]


def test_one_process_reads_the_checkpoint_and_goes_on(torchrun):
    out, *_ = torchrun
    state = torch.load(out / "whole" / "checkpoint.pt", weights_only=True)["trainer"]
    assert list(state["G"]) == list(Tiny().G.state_dict())
    fitted = fit(Tiny(), TinyBatches(), out=out / "whole", resume=True, **OPTIONS | {"steps": 14})
    assert fitted.steps == 14


def test_fabric_run_starts_the_same_thing(tmp_path, torchrun):
    command = Path(sys.executable).with_name("fabric")
    fabric = (
        command,
        "run",
        "--accelerator",
        "cpu",
        "--devices",
        "2",
        "--strategy",
        "ddp",
        "--precision",
        "bf16-mixed",
        "--main-port",
        str(free_port()),
    )
    first, second = launch(tmp_path, *fabric, scenarios="one")
    assert first["whole"] == second["whole"] == torchrun[1]["whole"]


def test_every_system_trains_one_model(tmp_path):
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    first, second = launch(tmp_path, *launcher, "--nproc-per-node", "2", scenarios="systems")
    more = {"gan logistic", "gan wasserstein", "gan clipped", "pix2pix l1", "pix2pix gan"}
    assert set(first) >= set(CATALOGUE) | more
    assert first == second


def test_workers_end_with_a_checkpoint_when_their_launcher_is_killed(tmp_path):
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    command = [*launcher, "--nproc-per-node", "2", __file__, str(tmp_path), "forever"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(command, env=env, **quiet)
    checkpoint, lock = tmp_path / "run" / "checkpoint.pt", tmp_path / "run" / "lock"
    waited(checkpoint.exists)
    started.kill()
    started.wait()
    waited(lambda: not lock.exists())  # the first process has let go of the folder
    assert torch.load(checkpoint, weights_only=True)["step"] > 0


def waited(done, seconds=120):
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_networks_that_learn_apart_are_noticed(torchrun):
    _, first, second = torchrun
    assert "the weights of D differ" in first["said"][3] and len(first["said"]) == 4


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
