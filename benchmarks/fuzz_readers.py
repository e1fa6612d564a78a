"""Feed damaged files to every reader for as long as you like, and see that nothing but a clear
error comes of them.

    python benchmarks/fuzz_readers.py [--seconds 60] [--case dat --case yaml] [--engine atheris]

The files, and what a reading must satisfy, are those of ``tests/mutations.py``. With atheris
(``pip install atheris``; Linux and macOS), which follows the branches that an input takes through
eegemo, new inputs grow from those that reached new ones; without it the mutations are seeded and
blind. Each reader runs in a process of its own, so that a crash of a compiled library is a finding
and not the end. The exit code is the number of readers with findings; inputs that caused one are
kept in the folder that is named.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
ENGINES = ("atheris", "mutations")
MEMORY_MB = 4096  # of a process; more is a finding


def main() -> int:
    """Run every reader that was asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each reader")
    parser.add_argument("--case", action="append", help="a reader; all if not given")
    parser.add_argument("--engine", choices=ENGINES, help="atheris where it is installed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, help="folder for inputs that caused a finding")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    installed = find_spec("atheris") is not None
    if options.engine == "atheris" and not installed:
        parser.error("atheris is not installed (pip install atheris); try --engine mutations")
    engine = options.engine or ("atheris" if installed else "mutations")
    findings = options.findings or Path(tempfile.mkdtemp(prefix="eegemo-fuzz-"))
    if options.in_this_process:
        run = with_atheris if engine == "atheris" else with_mutations
        run(options.case[0], options.seconds, options.seed, findings)
        return 0
    if not installed:
        print("atheris is not installed: seeded mutations, which do not see what they reach.")
    names = options.case or list(load_cases())
    print(f"engine {engine}, {options.seconds:g} s for each of {len(names)} readers, {findings}")
    return sum(not report(name, engine, options, findings) for name in names)


def load_cases() -> dict:
    sys.path.insert(0, str(TESTS))
    from mutations import CASES

    return CASES


def report(name: str, engine: str, options: argparse.Namespace, findings: Path) -> bool:
    """Run one reader in a process of its own; print a line; tell whether nothing was found."""
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    command = [sys.executable, __file__, "--in-this-process", "--case", name, "--engine", engine]
    command += ["--seconds", str(options.seconds), "--seed", str(options.seed)]
    command += ["--findings", str(findings)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    seconds = time.perf_counter() - began
    output = done.stdout + done.stderr
    runs = re.search(r"Done (\d+) runs?", output)
    outcomes = re.search(r"^outcomes (\{.*\})$", output, re.M)
    what = ", ".join(f"{n} {o}" for o, n in json.loads(outcomes[1]).items()) if outcomes else ""
    kept = sorted(path.name for path in set(findings.iterdir()) - before)
    good = done.returncode == 0 and not kept
    count = runs[1] if runs else "?"
    state = "nothing found" if good else f"FOUND, exit {done.returncode}: {', '.join(kept)}"
    print(f"{name:28} {count:>9} inputs {seconds:6.0f} s  {state}  {what}", flush=True)
    if not good:
        print("\n".join(f"    {line}" for line in output.splitlines()[-25:]), flush=True)
    return good


def prepare(name: str) -> tuple:
    """Write the good file of a reader and read it."""
    from mutations import CASES

    case = CASES[name]
    path = case.write(Path(tempfile.mkdtemp(prefix="eegemo-fuzz-")))
    return case, path, path.read_bytes(), case.read(path)


def with_mutations(name: str, seconds: float, seed: int, findings: Path) -> None:
    """Mutate blindly."""
    load_cases()
    from mutations import mutated, try_case

    case, path, content, original = prepare(name)
    outcomes = {"refused": 0, "same": 0, "other": 0}
    n, end = 0, time.monotonic() + seconds
    for damaged in mutated(content, sys.maxsize, seed):
        if time.monotonic() > end:
            break
        # a crash of the process leaves the input behind
        kept = findings / f"{re.sub(r'[^a-z0-9]+', '-', name)}-{seed}-{n}"
        kept.write_bytes(damaged)
        try:
            outcomes[try_case(case, path, damaged, original)] += 1
            kept.unlink()
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
        n += 1
    print(f"Done {n} runs\noutcomes {json.dumps(outcomes)}")


def with_atheris(name: str, seconds: float, seed: int, findings: Path) -> None:
    """Let atheris choose, guided by the branches of eegemo that an input takes."""
    import atheris

    sys.path.insert(0, str(TESTS))
    with atheris.instrument_imports(include=["eegemo"]):
        from mutations import mutated, try_case

        case, path, content, original = prepare(name)
    outcomes = {"refused": 0, "same": 0, "other": 0}

    def read(data: bytes) -> None:
        outcomes[try_case(case, path, data, original)] += 1

    corpus = Path(tempfile.mkdtemp(prefix="eegemo-corpus-"))
    for k, example in enumerate([content, *mutated(content, 20, seed)]):
        (corpus / str(k)).write_bytes(example)
    prefix = findings / (re.sub(r"[^a-z0-9]+", "-", name) + "-")
    arguments = [f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}", "-timeout=30"]
    arguments += [f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={prefix}"]
    arguments += [f"-max_len={max(4096, 2 * len(content))}", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments], read)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
