"""Damaged files of every kind: a clear error or the same reading, and never anything else.

What cannot be told: a change within the numbers of a format without a checksum (DEAP's ``.dat``, a
``.mat`` that is not compressed, BrainVision's signals, text). Those readings must still be finite,
within range and of the right shape; formats with a checksum must never give other numbers.
"""

import os

import numpy as np
import pytest
from mutations import CASES, mutated, run_case, same, try_case

from eegemo.datasets.deap import load_deap_arrays
from eegemo.errors import DataError
from eegemo.simulation.deap_files import write_dat

# Whole data sets and results take longer to read. The long run, below, reads 1000 of each kind.
_FEW = {name: 6 for name in CASES if name.startswith(("bids", "files", "result"))}


@pytest.mark.parametrize("name", CASES)
def test_damaged_files_are_refused_or_read_right(tmp_path, name):
    outcomes = run_case(CASES[name], tmp_path, _FEW.get(name, 20))
    assert outcomes["refused"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_many_damaged_files(tmp_path, name):
    """More of the same, other ones: ``EEGEMO_FUZZ_SEED`` chooses, and is reported on failure."""
    seed = int(os.environ.get("EEGEMO_FUZZ_SEED", "1"))
    run_case(CASES[name], tmp_path, 1000, seed)


def test_only_the_numbers_of_a_dat_file_can_change(tmp_path):
    """Each byte of its instructions, changed: refused, or the same arrays."""
    rng = np.random.default_rng(0)
    labels, data = rng.uniform(1, 9, (1, 4)), rng.normal(scale=10.0, size=(1, 40, 385))
    path = tmp_path / "s01.dat"
    write_dat(path, labels, iter(data), data.shape)
    content = path.read_bytes()
    at_labels, at_data = content.index(labels.tobytes()), content.index(data.tobytes())
    numbers = [range(at_labels, at_labels + labels.nbytes), range(at_data, at_data + data.nbytes)]
    for position in range(len(content)):
        if any(position in part for part in numbers):
            continue
        for value in {0, ord("i"), ord(">"), int(rng.integers(0, 256))}:
            damaged = bytearray(content)
            damaged[position] = value
            path.write_bytes(damaged)
            try:
                arrays = load_deap_arrays(path)
            except DataError:
                continue
            assert same(arrays, (data, labels)), (position, value)


def test_mutations_are_reproducible():
    content = bytes(range(256)) * 4
    one, other = list(mutated(content, 50, 3)), list(mutated(content, 50, 3))
    assert one == other
    assert len(set(one)) > 40
    assert content not in one


def test_the_harness_notices(tmp_path):
    """A reader that lets an error of another kind through, or other numbers, fails."""
    case = CASES["scaling"]
    path = case.write(tmp_path)
    content, original = path.read_bytes(), case.read(path)
    broken = type(case)(case.write, lambda path: {}["no"], case.check)
    with pytest.raises(KeyError):
        try_case(broken, path, content, original)
    careless = type(case)(case.write, lambda path: [1.0], case.check, sealed=True)
    with pytest.raises(AssertionError, match="other numbers"):
        try_case(careless, path, content, original)
