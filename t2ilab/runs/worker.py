"""One run of a sweep, in a process of its own: `python -m t2ilab.runs.worker`.

It reads one job as a line of JSON on standard input and prints the outcome as its last line. It
ends when standard input is closed, so that nothing outlives a sweep that was killed.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from t2ilab.errors import T2ILabError
from t2ilab.runs.kept import runs_below
from t2ilab.runs.run import execute, plan

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ENDED = 3  # the exit status of a worker whose sweep is gone


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Run `job` = {notebook, parameters, out, environment, force}, unless it is finished by now.

    Returns {"folder": path}, or {"error": words}: nothing is raised, here or on a cluster.
    """
    os.environ.update(job["environment"])
    try:
        planned = plan(job["notebook"], parameters=job["parameters"])
        if found := finished_by_now(planned.hash, job):
            return found
        return {"folder": str(execute(planned, out=job["out"], show=False))}
    except T2ILabError as error:
        return {"error": str(error)}
    except Exception as error:
        if "timed-out" in str(error):  # how submitit tells that Slurm's limit is near
            return {"error": "its time on the cluster was over: give it more minutes"}
        return {"error": f"{type(error).__name__}: {error}"}


def within(job: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """The job, with these environment variables besides its own."""
    return {**job, "environment": {**job["environment"], **environment}}


def finished_by_now(hash: str, job: dict[str, Any]) -> dict[str, Any] | None:
    """The outcome of a job that another sweep has finished, unless it is to be run again."""
    found = None if job["force"] else runs_below(Path(job["out"]), "*/").by_hash.get(hash)
    return found and {"folder": str(found)}


def _end_with(stream: Any) -> None:
    stream.read()
    os._exit(ENDED)


def main() -> None:
    """Read a job, begin to watch for the end of the sweep, run, and print the outcome."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    outcome = work(job)
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the thread above still waits for standard input


if __name__ == "__main__":
    main()
