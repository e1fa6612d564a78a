"""Stands in for SLURM where there is none: ``sbatch`` and ``scancel`` for jobs on this machine.

A cluster of two nodes, each of which runs one job at a time, in a process group of its own; what is
submitted beyond that waits, as in a queue. A job ends as SLURM ends one that is cancelled or has
reached its time: SIGTERM to all of its processes, and after a while SIGKILL.

``python slurm_stand_in.py FOLDER COMMAND ...``, where the folder holds the queue's files.
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

NODES = 2
KILL_WAIT = 2.0  # seconds; SLURM's usual one is 30
LONGEST = 600.0  # seconds, so that nothing outlives a test for long


def install(folder):
    """Write the commands into a folder for PATH."""
    for name in ("sbatch", "scancel"):
        command = folder / "bin" / name
        command.parent.mkdir(exist_ok=True)
        words = f'exec "{sys.executable}" "{__file__}" "{folder}" {name} "$@"'
        command.write_text(f"#!/bin/sh\n{words}\n", encoding="utf-8")
        command.chmod(0o755)
    return folder / "bin"


def jobs(folder, ending):
    """Return the numbers of jobs that have such a file: sh (submitted), running, ended."""
    return sorted(int(file.stem) for file in folder.glob(f"*.{ending}"))


def parse_directives(script):
    """Read ``#SBATCH`` lines; an option that SLURM does not know ends in an error, as there."""
    parser = argparse.ArgumentParser("sbatch", allow_abbrev=False, exit_on_error=True)
    parser.add_argument("-J", "--job-name")
    parser.add_argument("-p", "--partition", required=True)
    parser.add_argument("-n", "--ntasks", type=int, choices=[1])
    parser.add_argument("--cpus-per-task", type=int)
    parser.add_argument("--mem", type=re.compile(r"\d+[KMGT]").fullmatch, required=True)
    # how SLURM writes hours, minutes and seconds
    parser.add_argument("-t", "--time", type=re.compile(r"\d+:\d\d:\d\d").fullmatch, required=True)
    parser.add_argument("-o", "--output", default="slurm-%j.out")
    parser.add_argument("-e", "--error")
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#!"), "sbatch: error: This does not look like a batch script."
    directives = [line.split()[1:] for line in lines if line.startswith("#SBATCH")]
    return parser.parse_args([word for words in directives for word in words])


def sbatch(folder, script):
    """Copy a script, start what runs it when a node is free, and say its number."""
    options = parse_directives(script)
    with (folder / "submitting").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        number = 1 + len(jobs(folder, "sh"))
        shutil.copy(script, folder / f"{number}.sh")
    files = [re.sub("%[jJ]", str(number), file or options.output)
             for file in (options.output, options.error)]  # fmt: skip
    subprocess.Popen(
        [sys.executable, __file__, str(folder), "step", str(number), *files],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "errors").open("ab"),
    )
    print(f"Submitted batch job {number}")


def scancel(folder, number):
    """Ask for the end of a job, and do not wait for it."""
    if int(number) not in jobs(folder, "sh"):
        sys.exit(f"scancel: error: Kill job error on job id {number}: Invalid job id specified")
    (folder / f"{number}.cancelled").touch()


def step(folder, number, output, error):
    """Wait for a node, run the job there, and end it when that is asked for."""
    until = time.monotonic() + LONGEST
    files = {name: folder / f"{number}.{name}" for name in ("sh", "running", "cancelled", "ended")}

    def is_over():
        return files["cancelled"].exists() or time.monotonic() > until or not folder.exists()

    nodes = [(folder / f"node{k}").open("w") for k in range(NODES)]
    while not any(map(reserve, nodes)):
        if is_over():
            files["ended"].touch()
            return
        time.sleep(0.05)
    with open(output, "ab") as out, open(error, "ab") as err:
        environment = os.environ | {"SLURM_JOB_ID": number}
        job = subprocess.Popen(["bash", str(files["sh"])], stdout=out, stderr=err,
                               env=environment, start_new_session=True)  # fmt: skip
    files["running"].write_text(str(job.pid), encoding="utf-8")
    while job.poll() is None and not is_over():
        time.sleep(0.05)
    for number, wait in ((signal.SIGTERM, KILL_WAIT), (signal.SIGKILL, 0)):
        with suppress(ProcessLookupError):
            os.killpg(job.pid, number)
            time.sleep(wait)
    job.wait()
    files["ended"].touch()


def reserve(node):
    try:
        fcntl.flock(node, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    place, what, *rest = sys.argv[1:]
    if what == "sbatch":
        sbatch(Path(place), Path(*rest))
    else:
        {"scancel": scancel, "step": step}[what](Path(place), *rest)
