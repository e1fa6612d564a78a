"""Time until the command line answers, beside a Python that does nothing.

python benchmarks/startup.py

Each is started anew, in turn with the others; other work on the machine then slows all alike.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_WRONG = "name: a\ndata: {source: deap, root: data/deap}\nmodel: {name: cnn_lstm, unitz: 3}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        wrong = Path(folder) / "wrong.yaml"
        wrong.write_text(_WRONG, encoding="utf-8")
        command = [sys.executable, "-m", "eegemo"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "eegemo --help": [*command, "--help"],
            "eegemo --version": [*command, "--version"],
            "a mistake in an experiment file, told": [*command, "run", str(wrong)],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, one in commands.items():
                began = time.perf_counter()
                subprocess.run(one, capture_output=True, check=False)
                if number:  # the first round fills the disk's cache
                    seconds[name].append(time.perf_counter() - began)
    plain = statistics.median(seconds["python -c pass"])
    for name, found in seconds.items():
        middle = statistics.median(found)
        print(f"{name:40} {middle:6.3f} s  {middle / plain:5.1f} x python -c pass")


if __name__ == "__main__":
    main()
