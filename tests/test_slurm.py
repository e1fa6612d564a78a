"""SLURM without a SLURM: the script of the documentation, with stand-ins for sbatch and scancel."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec

import pytest
import slurm_stand_in
from test_clusters import assert_same_tables, tables, wait_for
from test_docs import DOCS, blocks

from eegemo.runs.run import run_experiments
from experiments import REPOSITORY, tiny

# a fold takes about a second
LONGER = ["model={name: band_power_logreg}", "windows.stride=0.03125", "data.duration=6.0"]


def read_script():
    (code,) = [code for _, code, *_ in blocks(DOCS / "clusters.md") if "SLURMCluster(" in code]
    return code


def freeze(folds):
    """Stop a process in the middle of a fold; return it, or None if none could be stopped."""
    for file in folds.glob("*/.lock"):
        holder = file.read_text(encoding="utf-8")  # "process 4711 on ..."; empty if nobody
        with suppress(IndexError, ProcessLookupError):
            process = int(holder.split()[1])
            os.kill(process, signal.SIGSTOP)
            time.sleep(0.05)
            is_done = (file.parent / "done").exists()
            if file.read_text(encoding="utf-8") == holder and not is_done:
                return process
            os.kill(process, signal.SIGCONT)
    return None


def wait_to_freeze(folds):
    found = []
    wait_for(lambda: found.append(freeze(folds)) or found[-1], seconds=120)
    return found[-1]


@pytest.mark.slow
def test_the_documented_script_carries_an_experiment_through_the_end_of_a_job(tmp_path):
    if find_spec("dask_jobqueue") is None:
        pytest.skip("dask-jobqueue is not installed: pip install eegemo[slurm]")
    experiment = tiny(tmp_path / "data", *LONGER, "split.n_splits=4")
    (here,) = run_experiments([experiment], results=tmp_path / "here", report=False)
    queue = tmp_path / "queue"
    queue.mkdir()
    (tmp_path / "slurm.py").write_text(read_script(), encoding="utf-8")
    (tmp_path / "e.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if "THREADS" not in k and "EEGEMO" not in k}
    path = os.pathsep.join([str(slurm_stand_in.install(queue)), kept["PATH"]])
    modules = os.pathsep.join([str(REPOSITORY), *filter(None, [kept.get("PYTHONPATH")])])
    # a job that is gone is replaced 15 s later, if nothing else is said
    kept |= {"PATH": path, "PYTHONPATH": modules}
    kept["DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT"] = "1s"
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(
            [sys.executable, "slurm.py", "run", "e.yaml", "--results", "r"],
            cwd=tmp_path, env=kept, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: list((tmp_path / "r").glob("*/folds")), seconds=120)
        (folds,) = (tmp_path / "r").glob("*/folds")
        victim = wait_to_freeze(folds)
        running = {file.read_text(): int(file.stem) for file in queue.glob("*.running")}
        submitted = slurm_stand_in.jobs(queue, "sh")
        assert len(submitted) == 16  # most of which wait for a node
        job = running[str(os.getpgid(victim))]
        # as at the time limit, too
        subprocess.run(["scancel", str(job)], env=kept, check=True)
        wait_for(lambda: job in slurm_stand_in.jobs(queue, "ended"))
        # the fold is begun elsewhere, and may not be done before a job has been submitted instead
        other = wait_to_freeze(folds)
        wait_for(lambda: slurm_stand_in.jobs(queue, "sh") > submitted)
        os.kill(other, signal.SIGCONT)
        assert run.wait(timeout=240) == 0, (tmp_path / "log").read_text(encoding="utf-8")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        for number in slurm_stand_in.jobs(queue, "sh"):
            slurm_stand_in.scancel(queue, number)
    (there,) = folds.parent.parent.glob("tiny-*")
    assert_same_tables(tables(there), tables(here))
    # with the run all jobs end
    wait_for(lambda: slurm_stand_in.jobs(queue, "ended") == slurm_stand_in.jobs(queue, "sh"))
