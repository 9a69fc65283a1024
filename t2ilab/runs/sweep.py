"""A grid of runs of one notebook: several at a time on this machine, or on a Slurm cluster.

A combination that has a finished run is skipped, so a sweep that was killed, or some of whose
runs failed, is taken up by the same call again. Of two sweeps at once each combination is run by
one; the other waits for it.
"""

import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

from t2ilab.errors import T2ILabError, UsageError, choose
from t2ilab.locks import in_turn
from t2ilab.provenance import cores
from t2ilab.runs.kept import finished_run, runs_below
from t2ilab.runs.notebook import find_notebook, read_book
from t2ilab.runs.run import Plan, folder_of_runs, plan_of
from t2ilab.runs.worker import THREADS, finished_by_now, within

Outcome = dict[str, Any]  # {"folder": path} or {"error": words}
LARGEST_GRID = 10_000  # combinations; a sweep keeps a folder for each


def sweep(
    notebook: str | int | Path,
    grid: Mapping[str, Sequence[Any]],
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    at_once: int | None = None,
    cluster: str = "local",
    partition: str | None = None,
    account: str | None = None,
    qos: str | None = None,
    minutes: int = 60,
    cpus: int = 2,
    gpus: int = 0,
    force: bool = False,
) -> list[Path]:
    """Run a notebook with every combination of `grid`; returns the folders, in that order.

    Args:
        grid: for each parameter the values it takes, {"SEED": [0, 1, 2], "RATE": [0.1, 0.2]}.
        profile, parameters, out: as `run` takes them, the same for all.
        at_once: how many run at a time: 1 on this machine, all of them on a cluster.
        cluster: "local" or "slurm". The folder of the runs must be seen by its nodes.
        partition, account, qos, minutes, cpus, gpus: what each job asks of Slurm, which may end a
            job up to a minute before its time.
        force: run finished combinations again.

    Raises:
        UsageError: a wrong name or value anywhere in the grid, before anything is run.
        T2ILabError: at the end, where some failed: each with its parameters and its error.
    """
    choose("cluster", cluster, ("local", "slurm"))
    numbers = {"at_once": at_once, "minutes": minutes, "cpus": cpus, "gpus": gpus}
    for name, number in numbers.items():
        least = 0 if name == "gpus" else 1
        if number is not None and number < least:
            raise UsageError(f"{name}={number}: give {least} or more")
    plans = combinations(notebook, grid, profile=profile, parameters=parameters)
    root = folder_of_runs(next(iter(plans.values())).notebook, out)
    before = runs_below(root, "*/")
    for words in before.damaged:
        print(f"not counted as finished: {words}")
    done = {} if force else before.by_hash
    jobs = {hash: _job(one, root, force) for hash, one in plans.items() if hash not in done}
    folders = {hash: done[hash] for hash in plans if hash in done}
    print(f"{len(plans)} combinations, {len(folders)} of them finished before")
    if cluster == "local":
        outcomes = _on_this_machine(jobs, root / "locks", at_once or 1)
    else:
        from t2ilab.runs.slurm import on_slurm

        options = {"partition": partition, "account": account, "qos": qos}
        options |= {"minutes": minutes, "cpus": cpus, "gpus": gpus}
        outcomes = on_slurm(jobs, root / "slurm", at_once=at_once or max(1, len(jobs)), **options)
    failed = {}
    for number, (hash, outcome) in enumerate(outcomes, start=1):
        outcome = _seen(outcome, plans[hash])
        result = "failed" if "error" in outcome else Path(outcome["folder"]).name
        print(f"[{number}/{len(jobs)}] {_words(plans[hash], grid)}: {result}", flush=True)
        if "error" in outcome:
            failed[hash] = outcome["error"]
        else:
            folders[hash] = Path(outcome["folder"])
    if failed:
        listed = "\n".join(f"- {_words(plans[h], grid)}: {words}" for h, words in failed.items())
        raise T2ILabError(
            f"{len(failed)} of {len(plans)} runs failed; the same call tries them again\n{listed}"
        )
    return [folders[hash] for hash in plans]


def combinations(
    notebook: str | int | Path,
    grid: Mapping[str, Sequence[Any]],
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Plan]:
    """The checked plans of a grid by their hash, the last parameter changing fastest.

    Raises:
        UsageError: a wrong name or value; a parameter without values, or given twice.
    """
    for name, values in grid.items():
        if isinstance(values, (str, Mapping)) or not isinstance(values, Sequence) or not values:
            raise UsageError(f"parameter {name}: give a list of values, {name}=[1, 2]")
        if name in (parameters or {}):
            raise UsageError(f"parameter {name} is both in the grid and fixed; give one of them")
    count = math.prod(len(values) for values in grid.values())
    if count > LARGEST_GRID:
        raise UsageError(f"{count:,} combinations; a sweep takes at most {LARGEST_GRID:,}")
    book, plans = read_book(find_notebook(notebook)), {}
    for values in itertools.product(*grid.values()):
        given = {**(parameters or {}), **dict(zip(grid, values, strict=True))}
        one = plan_of(book, profile=profile, parameters=given)
        plans[one.hash] = one
    return plans


def _job(planned: Plan, root: Path, force: bool) -> dict[str, Any]:
    return {
        "notebook": str(planned.notebook),
        "parameters": planned.changed,
        "out": str(root),
        "environment": {"T2ILAB_PROFILE": ""},
        "force": force,
    }


def _seen(outcome: Outcome, planned: Plan) -> Outcome:
    """The outcome, or an error where its folder holds no run of this combination."""
    if "error" in outcome:
        return outcome
    try:
        metrics = finished_run(Path(outcome["folder"]))
    except T2ILabError as error:
        return {"error": str(error)}
    if metrics is None or metrics.run.parameters != planned.parameters:
        return {"error": f"{outcome['folder']} is not a finished run of it"}
    return outcome


def _words(planned: Plan, grid: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={planned.parameters[name]}" for name in grid) or "the defaults"


def _on_this_machine(
    jobs: dict[str, dict], locks: Path, at_once: int
) -> Iterator[tuple[str, Outcome]]:
    """Each job in a process of its own; each place has its share of the cores, and a GPU."""
    at_once = max(1, min(at_once, len(jobs)))
    places: SimpleQueue[dict[str, str]] = SimpleQueue()
    for environment in _shares(at_once):
        places.put(environment)
    running: set[subprocess.Popen] = set()
    stop = Event()

    def one(hash: str, job: dict) -> Outcome:
        place = places.get()
        try:
            with in_turn(locks / f"{hash}.lock", stop):
                if stop.is_set():
                    return {"error": "stopped"}
                return finished_by_now(hash, job) or _in_a_process(within(job, place), running)
        finally:
            places.put(place)

    pool = ThreadPoolExecutor(at_once)
    try:
        futures = {pool.submit(one, hash, job): hash for hash, job in jobs.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:  # on Ctrl-C too: nothing goes on behind the user's back
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            process.kill()


def _shares(at_once: int) -> list[dict[str, str]]:
    """The environment of each place: cores / at_once threads, and one GPU where there are more."""
    threads = max(1, cores() // at_once)
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        threads = min(threads, int(os.environ["OMP_NUM_THREADS"]))
    shares = [dict.fromkeys(THREADS, str(threads)) for _ in range(at_once)]
    gpus = _gpus()
    if len(gpus) > 1:
        for place, share in enumerate(shares):
            share["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
    return shares


def _gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu for gpu in visible.split(",") if gpu]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _in_a_process(job: dict, running: set[subprocess.Popen]) -> Outcome:
    command = [sys.executable, "-m", "t2ilab.runs.worker"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    running.add(process)
    try:
        said: list[str] = []
        with ThreadPoolExecutor(1) as reader:  # both pipes at once, standard input kept open
            complaints = reader.submit(process.stderr.read)
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            said = process.stdout.read().strip().splitlines()
            process.wait()
    finally:
        running.discard(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
    try:
        return json.loads(said[-1])
    except (IndexError, ValueError):
        last = (complaints.result().strip().splitlines() or ["it said nothing"])[-1]
        return {"error": f"its process ended with status {process.returncode}: {last}"}
