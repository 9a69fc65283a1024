"""The jobs of a sweep on a Slurm cluster, through submitit.

What is waiting or running is written down in `slurm/<hash>.json`, so that the same sweep, called
again after it was interrupted, waits for these jobs instead of submitting them twice.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t2ilab.errors import T2ILabError, UsageError
from t2ilab.files import write_json
from t2ilab.locks import in_turn
from t2ilab.runs.worker import THREADS, within, work
from t2ilab.schemas import read
from t2ilab.schemas.runs import Submitted

_ADVICE = "If no job of this sweep is in the queue (squeue), remove the file"
_ABSENT = 3  # looks at the queue without a job or its result, after which it counts as lost


def on_slurm(
    jobs: dict[str, dict],
    folder: Path,
    *,
    at_once: int,
    partition: str | None,
    account: str | None,
    qos: str | None,
    minutes: int,
    cpus: int,
    gpus: int,
    poll_seconds: float = 2,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Submit what is not in the queue yet, as one array, and yield each outcome as it comes.

    Raises:
        UsageError: this machine cannot submit to a Slurm cluster.
        T2ILabError: Slurm refused the jobs.
    """
    for program in ("sbatch", "squeue", "srun"):
        if shutil.which(program) is None:
            raise UsageError(
                f"there is no '{program}' here: start the sweep on a machine that submits to your "
                "Slurm cluster, or leave the cluster 'local'"
            )
    names = {"partition": partition, "account": account, "qos": qos}
    options = _options(at_once, names, minutes, cpus, gpus)
    threads = dict.fromkeys(THREADS, str(cpus))
    jobs = {hash: within(job, threads) for hash, job in jobs.items()}
    with in_turn(folder / "queue.lock"):  # the same sweep, started twice, submits each job once
        waiting = _in_the_queue(jobs, folder)
        if waiting:
            print(f"{len(waiting)} jobs are in the queue from before")
        new = {hash: job for hash, job in jobs.items() if hash not in waiting}
        if new:
            waiting |= _submit(new, folder, options)
            ids = sorted({job.job_id.split("_")[0] for job in waiting.values()})
            print(f"{len(new)} jobs submitted; to stop them: scancel {' '.join(ids)}", flush=True)
    yield from _outcomes(waiting, poll_seconds)


def _options(
    at_once: int, names: dict[str, str | None], minutes: int, cpus: int, gpus: int
) -> dict[str, Any]:
    options = {
        "name": "t2ilab",
        "timeout_min": minutes,
        "cpus_per_task": cpus,
        "slurm_array_parallelism": at_once,
        "slurm_signal_delay_s": 10,  # before its limit a job is told; Slurm may be 60 s early
    }
    for name, value in names.items():
        if value is not None:
            if not re.fullmatch(r"[^\s\0]+", value):  # it becomes a line of a script
                raise UsageError(f"{name} {value!r}: a name without spaces is expected")
            options[f"slurm_{name}"] = value
    if gpus:
        options["gpus_per_node"] = gpus
    return options


def _submit(jobs: dict[str, dict], folder: Path, options: dict) -> dict[str, Any]:
    import submitit

    try:
        executor = submitit.AutoExecutor(folder=folder, cluster="slurm")
        executor.update_parameters(**options)
        with executor.batch():
            submitted = {hash: executor.submit(work, job) for hash, job in jobs.items()}
    except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
        raise T2ILabError(f"Slurm refused the jobs: {error}") from error
    for hash, job in submitted.items():
        write_json(folder / f"{hash}.json", {"job_id": job.job_id})
    return submitted


def _in_the_queue(jobs: dict[str, dict], folder: Path) -> dict[str, Any]:
    """Those of the jobs that an earlier call submitted and Slurm still holds."""
    import submitit

    files = {hash: folder / f"{hash}.json" for hash in jobs}
    known = {
        hash: read(path, Submitted, advice=_ADVICE).job_id
        for hash, path in files.items()
        if path.exists()
    }
    if not known:
        return {}
    active = _active()
    if active is None:
        raise T2ILabError("Slurm's queue cannot be read ('squeue' fails): try again later")
    return {
        hash: submitit.SlurmJob(folder=folder, job_id=id)
        for hash, id in known.items()
        if id in active
    }


def _active() -> set[str] | None:
    """The ids of this user's jobs that wait or run; None where Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return set(asked.stdout.split()) if asked.returncode == 0 else None


def _outcomes(waiting: dict[str, Any], poll_seconds: float) -> Iterator[tuple[str, dict]]:
    absent = dict.fromkeys(waiting, 0)
    while waiting:
        active = _active()
        for hash, job in list(waiting.items()):
            list(job.paths.folder.iterdir())  # makes a network file system look again
            if job.paths.result_pickle.exists():
                yield hash, _outcome(waiting.pop(hash))
            elif active is not None and job.job_id not in active:
                absent[hash] += 1
                if absent[hash] >= _ABSENT:
                    yield hash, _lost(waiting.pop(hash))
        if waiting:
            time.sleep(poll_seconds)
            poll_seconds = min(30, poll_seconds * 1.1)


def _outcome(job: Any) -> dict[str, Any]:
    try:
        error = job.exception()
        if error is None:
            return dict(job.result())
    except Exception as damaged:  # whatever unpickling half a file raises
        error = damaged
    lines = [line for line in str(error).splitlines() if line.strip()]
    return {"error": f"Slurm job {job.job_id}: {lines[-1] if lines else error}"}


def _lost(job: Any) -> dict[str, Any]:
    file = job.paths.stderr
    log = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    last = f" Its last words: {log[-1]}" if log else ""
    return {
        "error": f"Slurm job {job.job_id} ended without a result: cancelled, over its time or its "
        f"memory, or its node failed.{last} Its log: {file.name}"
    }
