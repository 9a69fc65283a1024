"""The loop: budget, history, strips, precision, stops. (Resume: test_checkpoint.py.)"""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_trainer import Tiny, TinyBatches, digest

from t2ilab.errors import TrainingError, UsageError
from t2ilab.fit import fit, interrupts, machine
from t2ilab.fit import run as run_module
from t2ilab.fit.interrupts import Interrupts
from t2ilab.fit.losses import Losses
from t2ilab.fit.run import Budget, Run
from t2ilab.fit.strips import Strips, read

PLAIN = {"device": "cpu", "precision": "32-true", "show": False}


def test_history_has_a_row_per_step_of_a_short_run():
    fitted = fit(Tiny(), TinyBatches(), steps=12, **PLAIN)
    assert list(fitted.history.columns) == ["step", "seconds", "d", "g"]
    assert fitted.history["step"].tolist() == list(range(1, 13))
    assert fitted.history["seconds"].is_monotonic_increasing
    assert (fitted.steps, fitted.stopped, fitted.out) == (12, "steps", None)
    assert (fitted.device, fitted.precision) == ("cpu", "32-true")
    assert 0 <= fitted.wait_share <= 1


def test_rows_are_means_and_absent_losses_are_left_out():
    losses = Losses(every=2)
    for step, values in enumerate([{"d": 1.0, "g": 5.0}, {"d": 3.0}, {"d": 7.0}], start=1):
        losses.add(step, float(step), {k: torch.tensor(v) for k, v in values.items()})
    assert losses.read() is None
    assert losses.frame()["d"].tolist() == [2.0, 7.0]
    assert losses.frame()["g"].tolist()[0] == 5.0 and np.isnan(losses.frame()["g"].tolist()[1])
    assert losses.latest() == {"d": 7.0}


def test_losses_may_come_from_several_devices_and_numbers():
    losses = Losses(every=1)
    losses.add(1, 0.0, {"a": 0.5, "b": torch.tensor([2.0], dtype=torch.float64)})
    assert losses.read() is None and losses.rows == [
        {"step": 1, "seconds": 0.0, "a": 0.5, "b": 2.0}
    ]


def test_strips_are_dense_at_the_start_and_frame_the_run(tmp_path):
    fitted = fit(Tiny(), TinyBatches(), steps=64, strips=5, out=tmp_path, **PLAIN)
    assert [step for step, _ in fitted.strips] == [0, 4, 16, 36, 64]
    assert {x.shape for _, x in fitted.strips} == {(3, 2, 2, 3)}
    for (step, x), (again, y) in zip(fitted.strips, read(tmp_path), strict=True):
        assert step == again and np.array_equal(x, y)


def test_strips_change_nothing_and_none_can_be_asked_for():
    with_strips, without = Tiny(), Tiny()
    fit(with_strips, TinyBatches(), steps=10, strips=10, **PLAIN)
    assert fit(without, TinyBatches(), steps=10, strips=0, **PLAIN).strips == []
    assert digest(with_strips) == digest(without)


def test_strips_must_be_pictures():
    with pytest.raises(TrainingError, match=r"uint8 pictures \[n, H, W, 3\].*float32 \[2, 3\]"):
        Strips(1).add(0, torch.zeros(2, 3))


def test_progress_is_the_share_of_the_budget():
    trainer = Tiny()
    fit(trainer, TinyBatches(), steps=4, **PLAIN)
    assert trainer.seen == [0, 0.25, 0.5, 0.75]
    assert Budget(100, 1.0).progress(10, 30.0) == 0.5
    assert Budget(100, 1.0).spent(10, 61.0) == "minutes"


def test_minutes_end_a_run():
    fitted = fit(Tiny(), TinyBatches(), minutes=0.002, steps=10**6, **PLAIN)
    assert fitted.stopped == "minutes" and 0 < fitted.steps < 10**6
    assert fitted.history["step"].iloc[-1] == fitted.steps
    fitted = fit(Tiny(), TinyBatches(), minutes=0.002, **PLAIN)
    assert fitted.stopped == "minutes" and fitted.strips[-1][0] == fitted.steps


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"steps": 0},
        {"steps": 1.5},
        {"steps": True},
        {"minutes": 0},
        {"minutes": float("inf")},
        {"minutes": "1"},
    ],
)
def test_wrong_budgets_are_refused(budget):
    with pytest.raises(UsageError, match="steps|minutes"):
        fit(Tiny(), TinyBatches(), **budget, **PLAIN)


def test_a_run_is_reproducible_and_leaves_the_global_generators_alone():
    torch.manual_seed(7)
    expected = torch.rand(1), np.random.get_state()[1].copy()
    digests = []
    for _ in range(2):
        trainer = Tiny()
        torch.manual_seed(7)
        fit(trainer, TinyBatches(), steps=5, **PLAIN)
        assert torch.equal(torch.rand(1), expected[0])
        assert np.array_equal(np.random.get_state()[1], expected[1])
        digests.append(digest(trainer))
    other = Tiny()
    fit(other, TinyBatches(), steps=5, seed=1, **PLAIN)  # another seed: other dropout
    assert digests[0] == digests[1] != digest(other)


@pytest.mark.parametrize("nan_at", [1, 73])
def test_a_bad_loss_is_named_with_its_step(nan_at):
    with pytest.raises(
        TrainingError, match=rf"the loss 'g' became nan at step {nan_at}\b"
    ) as caught:
        fit(Tiny(nan_at=nan_at), TinyBatches(), steps=200, **PLAIN)
    assert len(caught.value.fitted.history) == nan_at - 1
    assert caught.value.fitted.stopped == "error"


def test_what_step_returns_is_checked():
    class Wrong(Tiny):
        def step(self, batch):
            return self.wrong

    for wrong, words in [
        (torch.tensor(1.0), "a dict of scalar tensors"),
        ({"d": torch.ones(3)}, r"\[3\]"),
    ]:
        trainer = Wrong()
        trainer.wrong = wrong
        with pytest.raises(TrainingError, match=words):
            fit(trainer, TinyBatches(), steps=1, **PLAIN)


def test_errors_of_trainer_and_batches_come_through_and_handlers_are_restored():
    def batches(step):
        if step == 3:
            raise KeyError("picture 17")
        return TinyBatches()(step)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    trainer = Tiny()
    with pytest.raises(KeyError, match="picture 17"):
        fit(trainer, batches, steps=9, **PLAIN)
    assert trainer.done == 3
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with pytest.raises(UsageError, match="batches is a function"):
        fit(trainer, [1, 2], steps=9, **PLAIN)


def test_a_signal_stops_after_the_step_and_says_that_nothing_was_saved(capsys):
    fitted = fit(Tiny(stop_at=3), TinyBatches(), steps=9, **PLAIN)
    assert (fitted.stopped, fitted.steps, len(fitted.history)) == ("signal", 3, 3)
    assert "stopped by SIGTERM after step 3; no folder was given" in capsys.readouterr().err


def test_a_second_ctrl_c_is_at_once(monkeypatch):
    with Interrupts() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # a launcher that sends it on: not impatience
        assert asked.name == "SIGINT"
        monkeypatch.setattr(interrupts, "IMPATIENT_AFTER", -1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as asked:
            os.kill(os.getpid(), signal.SIGINT)
        assert asked.name is None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_wait_share_counts_waiting_only(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(run_module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    run = Run(Budget(9, None), strips=0, save_every_s=60, several=False)
    run.start_clock()
    with run.waiting():
        clock[0] += 1
    clock[0] += 3
    run.record({"d": 0.0})
    assert (run.waited, run.seconds) == (1, 4)


def test_losses_are_read_at_least_every_fifty_steps(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(run_module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    run = Run(Budget(1000, None), strips=0, save_every_s=60, several=False)
    run.start_clock()
    alone = SimpleNamespace(world_size=1)
    nobody = SimpleNamespace(name=None)
    checked = []
    for _ in range(200):
        run.record({"d": 0.0})
        if run.check_due(nobody):
            run.agree(alone, nobody)
            checked.append(run.step)
    assert max(np.diff([0, *checked])) <= 50
    clock[0] += 1  # and after half a second, however few steps that are
    run.record({"d": 0.0})
    assert run.check_due(nobody)


def test_a_second_call_goes_on_with_the_same_trainer():
    trainer = Tiny()
    fit(trainer, TinyBatches(), steps=3, **PLAIN)
    assert fit(trainer, TinyBatches(), steps=2, **PLAIN).steps == 2
    assert trainer.done == 5
    with pytest.raises(UsageError, match="set up on cpu in 32-true by an earlier call"):
        fit(trainer, TinyBatches(), steps=2, device="cpu", precision="bf16-mixed")


def test_mixed_precision_takes_plain_backward_and_keeps_float32_weights():
    trainer, plain = Tiny(), Tiny()
    fitted = fit(trainer, TinyBatches(), steps=5, device="cpu", precision="bf16-mixed", show=False)
    fit(plain, TinyBatches(), steps=5, **PLAIN)
    assert fitted.precision == "bf16-mixed"
    assert {p.dtype for p in trainer.G.parameters()} == {torch.float32}
    assert digest(trainer, "G") != digest(plain, "G")
    for ours, theirs in zip(trainer.G.parameters(), plain.G.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=0.1)


def test_a_fabric_can_be_given_unless_it_forbids_plain_backward():
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    fabric = machine.make_fabric(device="cpu", precision="bf16-mixed")
    assert fit(Tiny(), TinyBatches(), steps=1, fabric=fabric, show=False).precision == "bf16-mixed"
    with pytest.raises(UsageError, match="wants fabric.backward"):
        alone = LightningEnvironment()
        theirs = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed", plugins=alone)
        fit(Tiny(), TinyBatches(), steps=1, fabric=theirs, show=False)


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_precision_follows_the_machine(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(machine, "_cpu_flags", set)
    assert machine.pick_precision("auto", "cpu") == expected
    assert machine.pick_precision("auto", "mps") == "32-true"
    assert fit(Tiny(), TinyBatches(), steps=1, device="cpu", show=False).precision == expected


def test_the_flags_of_the_processor_agree_with_torch():
    flags = machine._cpu_flags()
    if not flags or not hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        pytest.skip("no /proc/cpuinfo with flags, or a torch that does not tell")
    assert ("avx512_bf16" in flags) == torch.cpu._is_avx512_bf16_supported()


def test_devices_and_precisions_are_checked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="device 'cuda' was asked for, but torch finds none"):
        fit(Tiny(), TinyBatches(), steps=1, device="cuda")
    with pytest.raises(UsageError, match="did you mean 'cuda'"):
        fit(Tiny(), TinyBatches(), steps=1, device="cdua")
    with pytest.raises(UsageError, match="unknown precision 'bf16'"):
        fit(Tiny(), TinyBatches(), steps=1, device="cpu", precision="bf16")


def test_a_job_of_a_cluster_with_one_process_is_one_process(monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "x", "SLURM_PROCID": "2"}.items():
        monkeypatch.setenv(name, value)
    fabric = machine.make_fabric(device="cpu", precision="32-true")
    assert (fabric.world_size, fabric.is_global_zero) == (1, True)


def test_options_of_fabric_run_are_followed_and_must_not_contradict(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
    monkeypatch.setenv("LT_PRECISION", "bf16")
    monkeypatch.setenv("LT_CLI_USED", "1")
    fabric = machine.make_fabric()
    assert fabric.strategy.precision.precision == "bf16-mixed" and os.environ["LT_CLI_USED"] == "1"
    with pytest.raises(UsageError, match="contradicts '32-true'"):
        machine.make_fabric(precision="32-true")
    monkeypatch.setenv("LT_STRATEGY", "fsdp")
    with pytest.raises(UsageError, match="only 'ddp'"):
        machine.make_fabric()


def test_the_bar_shows_steps_or_seconds(capsys):
    fit(Tiny(), TinyBatches(), steps=5, device="cpu", precision="32-true")
    assert "5/5" in capsys.readouterr().err
    fit(Tiny(), TinyBatches(), minutes=0.005, device="cpu", precision="32-true")
    assert "step" in capsys.readouterr().err


def test_a_loss_that_the_last_row_lacks_is_left_out_of_what_is_told_of_the_end():
    """Phases may report different losses; NaN would keep the weights from being saved."""

    class Phases(Tiny):
        def step(self, batch):
            losses = super().step(batch)
            return losses if self.done < 3 else {"g": losses["g"]}

    fitted = fit(Phases(), TinyBatches(), steps=4, **PLAIN)
    assert np.isnan(fitted.history["d"].iloc[-1])  # the history says so, as a table does
    assert list(fitted.last_losses) == ["g"] and np.isfinite(fitted.last_losses["g"])
