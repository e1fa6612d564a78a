"""Damage files on purpose: seeded mutations, and a case for each reader of eegemo.

A case says how to write a good file, how to read it, and what a reading must satisfy. `try_case`
reads one mutated file and tells what came of it; nothing but eegemo's own InputError may be raised.
"""

from __future__ import annotations

import json
import pickle
import struct
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.io

from eegemo.errors import InputError

# Lengths and values at the edges of integer types, in either byte order, and bytes that mean
# something in one format or another.
_EDGES = [
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f",
    b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff" * 8, b"\x00" * 8, b"\n", b"\r\n", b"\t", b"'",
    b'"', b"\\", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"<script>", b"../../", b"\x1b[31m",
    b"%s%n", b"-1", b"NaN", b"Infinity", b"1e999", b"-0", b"[" * 2000, b"{", b"}", b"]", b":",
    b"A" * 5000, struct.pack("<d", np.nan), struct.pack("<d", np.inf), b"PK\x03\x04", b"\x80\x04.",
]  # fmt: skip


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged copy: one to three changes, or a piece of it."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        n = len(damaged)
        at = int(rng.integers(0, n + 1))
        # headers are short: half of the changes are near one of the ends
        if rng.random() < 0.5:
            at = int(min(n, rng.integers(0, 400)))
            at = n - at if rng.random() < 0.3 else at
        length = int(rng.integers(1, 1 + max(1, n // 4)))
        match int(rng.integers(0, 9)):
            case 0 if at < n:
                damaged[at] ^= 1 << int(rng.integers(0, 8))
            case 1 if at < n:
                damaged[at] = int(rng.integers(0, 256))
            case 2:
                del damaged[at:]
            case 3:
                del damaged[at : at + length]
            case 4:
                damaged[at:at] = damaged[at : at + length]
            case 5:
                damaged[at:at] = _EDGES[int(rng.integers(0, len(_EDGES)))]
            case 6:
                edge = _EDGES[int(rng.integers(0, len(_EDGES)))]
                damaged[at : at + len(edge)] = edge
            case 7:
                other = int(rng.integers(0, n + 1))
                damaged[at : at + length] = damaged[other : other + length]
            case 8:
                _change_a_number(damaged, rng)
    return bytes(damaged)


def _change_a_number(damaged: bytearray, rng: np.random.Generator) -> None:
    """Change a digit written in text, as a slip of the hand would."""
    digits = [k for k, byte in enumerate(damaged) if 48 <= byte < 58]
    if digits:
        damaged[digits[int(rng.integers(0, len(digits)))]] = 48 + int(rng.integers(0, 10))


@dataclass(frozen=True)
class Case:
    """A reader under test."""

    write: Callable[[Path], Path]  # makes a good file, with all it needs; returns the one to damage
    read: Callable[[Path], Any]
    check: Callable[[Any], None]  # asserts what any accepted reading must satisfy
    sealed: bool = False  # the format has a checksum: a reading that differs is a failure


def try_case(case: Case, path: Path, content: bytes, original: Any) -> str:
    """Read damaged content; return "refused", "same" or "other"."""
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="mne")
            result = case.read(path)
    except InputError as error:
        message = str(error)
        assert 0 < len(message) < 6000, message[:300]
        assert "Traceback" not in message
        # a terminal would obey them
        assert not any(ord(letter) < 32 and letter != "\n" for letter in message), ascii(message)
        return "refused"
    case.check(result)
    if same(result, original):
        return "same"
    assert not case.sealed, "other numbers were accepted where a checksum should have told"
    return "other"


def same(one: Any, other: Any) -> bool:
    """Tell whether two readings are equal, whatever they are made of."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, pd.DataFrame):
        return isinstance(other, pd.DataFrame) and one.equals(other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def run_case(case: Case, folder: Path, n: int, seed: int = 0) -> dict[str, int]:
    """Read `n` mutated files; return how often each outcome came."""
    path = case.write(folder)
    content = path.read_bytes()
    original = case.read(path)
    case.check(original)
    outcomes = {"refused": 0, "same": 0, "other": 0}
    for damaged in mutated(content, n, seed):
        outcomes[try_case(case, path, damaged, original)] += 1
    return outcomes


@contextmanager
def memory_below(n_bytes: float) -> Iterator[None]:
    """Assert that what Python allocates in the block stays below a number of bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n_bytes


def mutated(content: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Yield `n` damaged copies, all different from the original."""
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        damaged = mutate(content, rng)
        while damaged == content:
            damaged = mutate(content, rng)
        yield damaged


# --- the readers ----------------------------------------------------------------------------------


def _deap() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "labels": rng.uniform(1, 9, (2, 4)),
        "data": rng.normal(scale=10.0, size=(2, 40, 390)),
    }


def _write_dat(folder: Path) -> Path:
    from eegemo.simulation.deap_files import write_dat

    arrays, path = _deap(), folder / "s01.dat"
    write_dat(path, arrays["labels"], iter(arrays["data"]), arrays["data"].shape)
    return path


def _write_dat_again(protocol: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "s01.dat"
        path.write_bytes(pickle.dumps(_deap(), protocol=protocol))
        return path

    return write


def _write_mat(compress: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        scipy.io.savemat(folder / "s01.mat", _deap(), do_compression=compress)
        return folder / "s01.mat"

    return write


def _read_deap(path: Path) -> Any:
    from eegemo.datasets.deap import load_deap_arrays

    return load_deap_arrays(path)


def _check_deap(result: Any) -> None:
    data, labels = result
    assert data.shape[1] == 40
    assert labels.shape == (len(data), 4)
    assert np.isfinite(data).all()
    assert np.abs(data).max() <= 1e9
    assert not ((labels < 1) | (labels > 9)).any()


def _write_bids(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from test_bids import write_run

        root = folder / "bids"
        columns = ("onset", "duration", "trial_type", "stim_file", "valence")
        rows = [(1.0, 2.0, "happy", "a.mp4", 7.5), (4.0, 2.0, "sad", "b.mp4", 2.5)]
        stem = write_run(root, columns=columns, events=rows)
        (root / "participants.tsv").write_text("participant_id\tage\nsub-01\t31\n")
        if suffix == "participants.tsv":
            return root / suffix
        return stem.with_name(f"{stem.name}_{suffix}")

    return write


def _read_bids(path: Path) -> Any:
    from eegemo.datasets.bids import find_recordings_bids

    root = next(parent for parent in path.parents if parent.name == "bids")
    return _read_trials(find_recordings_bids(root))


def _read_trials(recordings: Any) -> Any:
    results = []
    for recording in recordings:
        for run in recording.read():
            cut = run.make_epochs(run.inst)
            for epochs in cut if isinstance(cut, list) else [cut]:
                signals = epochs.get_data(copy=False)
                results += [epochs.metadata, signals, np.array([epochs.info["sfreq"]])]
    return results


def _check_bids(result: Any) -> None:
    for metadata, signals, sfreq in zip(result[::3], result[1::3], result[2::3], strict=True):
        assert len(metadata) == len(signals) > 0
        assert np.isfinite(signals).all()
        assert sfreq > 0
        assert not metadata.duplicated(["subject", "session", "trial"]).any()
        if "valence" in metadata:
            assert not np.isinf(metadata["valence"]).any()


def _write_edf(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        """A recording with a gap, whose events count it."""
        from edf_files import write_edf
        from test_bids import SFREQ, write_run

        stem = write_run(folder / "bids", events=[(1.0, 2.0, "happy"), (16.0, 2.0, "sad")])
        for other in ("vhdr", "vmrk", "eeg"):
            stem.with_name(f"{stem.name}_eeg.{other}").unlink()
        channels = stem.with_name(f"{stem.name}_channels.tsv")
        names = [line.split("\t")[0] for line in channels.read_text().splitlines()[1:]]
        data = np.random.default_rng(0).normal(0, 10, (len(names), SFREQ * 12))
        starts = [second + 5 * (second > 5) for second in range(12)]
        path = stem.with_name(f"{stem.name}_eeg{suffix}")
        marks = [(3, "+3.5\x150.2\x14BAD_x")]
        return write_edf(path, data, [SFREQ] * len(names), names, starts=starts, marks=marks)

    return write


def _write_listed(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from bare_files import make_raw
        from bare_files import write as write_recording

        root = folder / "files"
        for number in (1, 2):
            write_recording(root / f"{number}.fif", make_raw(number, marks=number == 1))
        rows = "onset,duration,trial_type\n2.0,4.0,calm\n9.0,4.0,tense\n16.0,n/a,boundary\n"
        (root / "events.csv").write_text(rows)
        table = (
            "path,subject,session,run,events,valence\n1.fif,1,1,1,,5\n2.fif,2,1,1,events.csv,7\n"
        )
        (root / "recordings.csv").write_text(table)
        return root / name

    return write


def _read_listed(path: Path) -> Any:
    from eegemo.datasets.files import Files

    return _read_trials(Files(root=str(path.parent)).find())


def _write_ratings(folder: Path) -> Path:
    rows = "".join(
        f"sub-0{who},{trial},{2 * trial + who}\n" for who in (1, 2) for trial in (1, 2, 3)
    )
    (folder / "ratings.csv").write_text(f"participant,trial,valence\n{rows}")
    return folder / "ratings.csv"


def _read_ratings(path: Path) -> Any:
    from eegemo.labels import label_trials

    keys = [(f"0{who}", "1", trial, "") for who in (1, 2) for trial in (1, 2, 3)]
    metadata = pd.DataFrame(keys, columns=["subject", "session", "trial", "stimulus"])
    options = {"task": "valence", "table": str(path)}
    labels, notes = label_trials(metadata, options, rating_range=(1.0, 9.0))
    return [labels.codes, notes]


def _check_ratings(result: Any) -> None:
    codes, _ = result
    assert len(codes) == 6
    assert codes.max() < 2


EXPERIMENT = """\
name: fuzz
seed: 3
data: {source: deap, root: data/deap, subjects: [1, 2]}
labels: {task: quadrant, threshold: 5.0}
windows: {duration: 2.0, stride: 1.0}
split:
  method: stratified_group_k_fold
  group: trial
  n_splits: 5
model: {name: cnn_lstm, filters: [64, 128], units: 64, dropout: 0.5}
training: {epochs: 50, learning_rate: 1.0e-3}
"""


def _write_yaml(folder: Path) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


def _read_yaml(path: Path) -> Any:
    from eegemo.config import load_experiment

    return load_experiment(path).model_dump()


def _check_yaml(result: Any) -> None:
    assert result["windows"]["duration"] > 0
    assert 0 <= result["model"]["dropout"] < 1


def _write_result(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from fake_result import fake_result

        return fake_result(folder / "result", n_subjects=2, n_trials=4, n_windows=2) / name

    return write


def _read_predictions(path: Path) -> Any:
    from eegemo.evaluation import read_predictions

    return read_predictions(path)


def _check_predictions(frame: Any) -> None:
    p = frame[[name for name in frame if name.startswith("p_")]].to_numpy()
    assert np.isfinite(p).all()
    assert np.abs(p.sum(axis=1) - 1).max() < 0.01


def _read_result(path: Path) -> Any:
    """Read what a report reads, all files of the result together."""
    from eegemo.results import open_result

    root = next(parent for parent in path.parents if parent.name == "result")
    result = open_result(root)
    return json.dumps(result.provenance, sort_keys=True, default=str)


def _write_scaling(folder: Path) -> Path:
    from eegemo.scaling import fit_scaling
    from helpers import make_test_windows

    windows = make_test_windows()
    fit_scaling(windows, np.arange(len(windows)), fit="subject").save(folder / "scaling.npz")
    return folder / "scaling.npz"


def _read_scaling(path: Path) -> Any:
    from eegemo.scaling import load_scaling

    scaling = load_scaling(path)
    texts = [scaling.steps, scaling.fit, scaling.units, scaling.own]
    return [*map(repr, texts), scaling.gain, scaling.offset]


def _write_logreg(folder: Path) -> Path:
    from test_band_power import BANDS, SFREQ, waves

    from eegemo.models import band_power

    pipeline = band_power.build_band_power_logreg(sfreq=SFREQ, bands=BANDS)
    windows = waves([0, 1, 2] * 2)
    band_power.fit_band_power_logreg(pipeline, windows, np.arange(len(windows)))
    band_power.save_band_power_logreg(pipeline, folder / "model.npz")
    return folder / "model.npz"


def _read_logreg(path: Path) -> Any:
    from eegemo.models.band_power import load_band_power_logreg

    power, scale, classify = (step for _, step in load_band_power_logreg(path).steps)
    return [repr(power), scale.mean_, scale.scale_, classify.coef_, classify.intercept_]


def _write_keras(folder: Path) -> Path:
    from eegemo.models import build_model

    sizes = {"filters": (2,), "units": 2, "dense": ()}
    network = build_model("cnn_gru", n_times=8, n_channels=2, n_classes=2, **sizes)
    network.save(folder / "model.keras")
    return folder / "model.keras"


def _read_keras(path: Path) -> Any:
    from eegemo.models.keras.loading import load_model

    return load_model(path).get_weights()


def _nothing(_: Any) -> None:
    """Any reading will do."""


CASES: dict[str, Case] = {
    "dat": Case(_write_dat, _read_deap, _check_deap),
    "dat, protocol 2": Case(_write_dat_again(2), _read_deap, _check_deap),
    "dat, protocol 5": Case(_write_dat_again(5), _read_deap, _check_deap),
    "mat": Case(_write_mat(False), _read_deap, _check_deap),
    "mat, compressed": Case(_write_mat(True), _read_deap, _check_deap),
    **{
        f"bids {suffix}": Case(_write_bids(suffix), _read_bids, _check_bids)
        for suffix in (
            "events.tsv",
            "channels.tsv",
            "eeg.json",
            "eeg.vhdr",
            "eeg.vmrk",
            "eeg.eeg",
            "participants.tsv",
        )
    },
    "bids eeg.edf": Case(_write_edf(".edf"), _read_bids, _check_bids),
    "bids eeg.bdf": Case(_write_edf(".bdf"), _read_bids, _check_bids),
    **{
        f"files {name}": Case(_write_listed(name), _read_listed, _check_bids)
        for name in ("recordings.csv", "events.csv", "2.fif")
    },
    "ratings": Case(_write_ratings, _read_ratings, _check_ratings),
    "yaml": Case(_write_yaml, _read_yaml, _check_yaml),
    "predictions": Case(
        _write_result("predictions.parquet"), _read_predictions, _check_predictions
    ),
    "scaling": Case(_write_scaling, _read_scaling, _nothing, sealed=True),
    "logreg": Case(_write_logreg, _read_logreg, _nothing, sealed=True),
    "keras": Case(_write_keras, _read_keras, _nothing, sealed=True),
    **{
        f"result {name}": Case(_write_result(name), _read_result, _nothing)
        for name in (
            "provenance.json",
            "experiment.yaml",
            "folds/0/fold.json",
            "folds/0/history.csv",
        )
    },
}
