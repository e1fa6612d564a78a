"""Simulation of a DEAP release: DEAP's files, with known ground truth.

DEAP may not be redistributed, so tests, tutorials and first runs need a substitute. `simulate_deap`
writes the same files as the real release, with its shapes, units, rating scales and class imbalance
[1]_. The number ``effect`` sets how strongly the signals depend on the ratings. At 0 there is
nothing to learn: a method that then scores above chance is wrong.

`eegemo.simulation.brain` describes the signals, and `eegemo.simulation.raw` what is added in a raw
recording.

With ``truth=True``, the ground truth of a subject is saved in ``truth/sNN.npz``. Channels are in
the order of DEAP's preprocessed files, trials in the order of the videos:

=======================  =============================================================
``clean``                (n_trials, 32, n_times) float32, volts at 128 Hz from -3 s on: the brain's
                         share of the EEG before any filter, without eyes, muscles and noise;
                         average reference
``ch_names``             (32,) names of the channels
``valence, arousal``     (n_trials,) what was felt, from -1 to 1
``classes``              (n_trials,) quadrant of the reported ratings
``presentation``         (n_trials,) position of each video in the session, from 1
=======================  =============================================================

and, if there is a raw recording, in seconds from its first sample:

=========================================  ===========================================
``onsets``                                 (n_trials,) start of each video
``blink_times, saccade_times``             middle of each blink, moment of each saccade
``blink_topography, saccade_topography``   (32,) volts at each electrode per volt of vertical or
                                           horizontal EOG, no reference subtracted
``bads, bad_kinds``                        names of bad channels; "noisy" or "flat"
=========================================  ===========================================

References
----------
.. [1] Koelstra et al. (2012), "DEAP: A Database for Emotion Analysis using Physiological Signals",
   IEEE Transactions on Affective Computing 3(1), 18-31.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from eegemo.datasets.deap import DEAP_CHANNELS
from eegemo.datasets.deap.constants import MARKER
from eegemo.datasets.dreamer.contents import FILE_NAME
from eegemo.errors import InputError
from eegemo.simulation.dreamer import is_simulated_dreamer
from eegemo.simulation.files import FOLDERS, SUFFIXES, write_subject
from eegemo.simulation.ratings import BASELINE, ratings_table, simulate_ratings, video_table
from eegemo.simulation.raw import is_simulated_bdf
from eegemo.simulation.spectra import SFREQ
from eegemo.simulation.subject import SimulatedSubject
from eegemo.store import atomic_file, write_json

__all__ = ["SimulatedRelease", "is_simulated", "read_simulation", "simulate_deap"]

_BETWEEN = 35.0  # seconds from one video of full length to the next
_MAX_HOURS = 4  # of a raw recording, which is in memory when it is written


@dataclass(frozen=True)
class SimulatedRelease:
    """A simulated DEAP release.

    Attributes
    ----------
    root : Path
        Folder of the release.
    subjects : tuple of str
        "s01", "s02", ...
    n_trials : int
        Trials (videos) per subject.
    duration : float
        Seconds of video per trial; 3 s of baseline come before it.
    effect, fingerprint : float
        Strength of the emotion and of the trials' own marks in the signals.
    seed : int
        Seed of everything random.
    formats : tuple of str
        Of "python", "matlab" and "bdf".
    truth : bool
        Whether the truth was saved, in ``truth/``.
    complete : bool
        False while a simulation is under way, and for good if it was interrupted.
    version : int
        Version of the simulation; another one makes other files of the same arguments.
    """

    root: Path
    subjects: tuple[str, ...]
    n_trials: int
    duration: float
    effect: float
    fingerprint: float
    seed: int
    formats: tuple[str, ...]
    truth: bool
    complete: bool = True
    version: int = 2


def simulate_deap(
    root: str | Path,
    *,
    n_subjects: int = 32,
    n_trials: int = 40,
    duration: float = 60.0,
    effect: float = 1.0,
    fingerprint: float = 0.4,
    seed: int = 0,
    formats: str | Sequence[str] = ("python",),
    truth: bool = False,
    on_subject: Callable[[str, int, int], None] | None = None,
) -> SimulatedRelease:
    """Write a simulated DEAP release.

    Parameters
    ----------
    root : str | Path
        Folder to write to; made if it is not there. An earlier simulation in it is replaced; a
        folder that holds DEAP files of any other origin is refused.
    n_subjects : int
        From 1 to 99. The first subjects of a large release are those of a small one.
    n_trials : int
        Trials per subject, one per video.
    duration : float
        Length of a video in s, at least 1; 3 s of baseline come before it.
    effect : float
        How strongly rhythms follow valence and arousal. At 0 they do not; at 1.6 a small network
        classifies the quadrant of a second of an unseen trial correctly nearly nine times in ten.
    fingerprint : float
        Standard deviation of the log gain that every source gets in every trial. The larger it is,
        the easier a window is recognised by others of the same trial.
    seed : int
        Same seed, same files, byte by byte. Another effect leaves ratings and noise as they are.
    formats : str | sequence of str
        "python" for ``data_preprocessed_python/sNN.dat`` as Python 2 wrote them, "matlab" for
        ``data_preprocessed_matlab/sNN.mat``, "bdf" for the raw recordings
        ``data_original/sNN.bdf``, in all the forms that those of DEAP have.
    truth : bool
        Also save what is known, as ``truth/sNN.npz`` (see above) and ``truth/truth.json``.
    on_subject : callable | None
        Called as ``on_subject(subject, i, n)`` after each subject, with ``i`` from 1 to ``n``.

    Returns
    -------
    SimulatedRelease
        What was written where.

    Raises
    ------
    InputError
        An argument makes no sense, or the folder holds data that this function did not write.

    Notes
    -----
    A file of full size (40 trials of 63 s) has 103 MB and takes 1 to 3 s, in about 50 MB of
    memory (250 MB with "matlab"). A raw recording has 64 minutes and 280 MB, and takes about 8 s
    and 0.9 GB of memory. Nothing half-written bears a final name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = simulate_deap(folder, n_subjects=1, n_trials=4, duration=2)
    ...     [path.relative_to(folder).as_posix() for path in sorted(release.root.rglob("*.dat"))]
    ['data_preprocessed_python/s01.dat']
    """
    chosen = (formats,) if isinstance(formats, str) else tuple(dict.fromkeys(formats))
    _check_arguments(n_subjects, n_trials, duration, effect, fingerprint, seed, chosen)
    root = Path(root)
    release = SimulatedRelease(
        root=root,
        subjects=tuple(f"s{number:02d}" for number in range(1, n_subjects + 1)),
        n_trials=n_trials,
        duration=float(duration),
        effect=float(effect),
        fingerprint=float(fingerprint),
        seed=int(seed),
        formats=chosen,
        truth=bool(truth),
        complete=False,
    )
    _claim_folder(release)
    ratings = [
        simulate_ratings(number, n_trials, seed, duration) for number in range(1, n_subjects + 1)
    ]
    _write_table(root / "participant_ratings.csv", ratings_table(ratings))
    _write_table(root / "video_list.csv", video_table(n_trials, seed))
    for i, (subject, rated) in enumerate(zip(release.subjects, ratings, strict=True), start=1):
        person = SimulatedSubject(
            i, rated, release.duration, release.effect, release.fingerprint, release.seed
        )
        write_subject(root, subject, person, formats=chosen, truth=release.truth)
        if on_subject is not None:
            on_subject(subject, i, n_subjects)
    if truth:
        write_json(root / "truth" / "truth.json", _describe(replace(release, complete=True)))
    release = replace(release, complete=True)
    write_json(root / MARKER, _describe(release))
    return release


def read_simulation(root: str | Path) -> SimulatedRelease | None:
    """Return the description of a folder written by `simulate_deap`.

    Parameters
    ----------
    root : str | Path
        Folder of a release.

    Returns
    -------
    SimulatedRelease | None
        Its description, or None when the folder is not known to be simulated.

    Raises
    ------
    InputError
        The description is there but cannot be read.

    Examples
    --------
    >>> read_simulation("no such folder") is None
    True
    """
    marker = Path(root) / MARKER
    if not marker.is_file():
        return None
    try:
        fields: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        subjects, formats = tuple(fields.pop("subjects")), tuple(fields.pop("formats"))
        return SimulatedRelease(Path(root), subjects=subjects, formats=formats, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{marker}: expected the description of a simulated release, but it cannot be read "
            f"({error}). If the folder was simulated, delete it and simulate it again."
        ) from error


def is_simulated(path: str | Path) -> bool:
    """Return whether a file was written by `simulate_deap` or `simulate_dreamer`.

    The marker file next to it is not enough, since the real DEAP may have been copied over a
    simulation. The content of the file has to be that of the simulation, too.

    Parameters
    ----------
    path : str | Path
        A ``.dat``, ``.mat`` or ``.bdf`` file of DEAP, or ``DREAMER.mat``.

    Returns
    -------
    bool
        Whether it was simulated.

    Examples
    --------
    >>> is_simulated("data/deap/data_preprocessed_python/s01.dat")
    False
    """
    if Path(path).name == FILE_NAME:
        return is_simulated_dreamer(path)
    path = Path(path).resolve()
    if path.suffix not in SUFFIXES.values():
        return False
    release = read_simulation(path.parent.parent)
    return release is not None and _is_simulated(path, release)


def _check_arguments(
    n_subjects: int,
    n_trials: int,
    duration: float,
    effect: float,
    fingerprint: float,
    seed: int,
    formats: tuple[str, ...],
) -> None:
    if not 1 <= n_subjects <= 99:
        raise InputError(
            f"n_subjects: expected 1 to 99 (files are s01 to s99), found {n_subjects}."
        )
    if n_trials < 1:
        raise InputError(f"n_trials: expected at least 1, found {n_trials}.")
    # math.isfinite first: every comparison with NaN is false
    if not (math.isfinite(duration) and duration >= 1):
        raise InputError(f"duration: expected at least 1 second, found {duration}.")
    for name, value in (("effect", effect), ("fingerprint", fingerprint)):
        if not (math.isfinite(value) and 0 <= value <= 5):
            raise InputError(f"{name}: expected a number from 0 to 5, found {value}.")
    if seed < 0:
        raise InputError(f"seed: expected 0 or a positive integer, found {seed}.")
    unknown = [name for name in formats if name not in FOLDERS]
    if unknown or not formats:
        raise InputError(
            f"formats: expected one or more of {', '.join(map(repr, FOLDERS))}, found "
            f"{', '.join(map(repr, unknown)) or 'none'}."
        )
    n_values = n_trials * len(DEAP_CHANNELS) * _n_times(duration)
    if set(formats) & {"python", "matlab"} and 8 * n_values >= 2**31:
        raise InputError(
            f"n_trials and duration: {n_trials} trials of {duration:g} s are "
            f"{8 * n_values / 2**30:.1f} GiB per subject; a file can hold at most 2 GiB."
        )
    hours = n_trials * (duration + _BETWEEN) / 3600
    if "bdf" in formats and hours > _MAX_HOURS:
        raise InputError(
            f"n_trials and duration: {n_trials} trials of {duration:g} s make a raw recording of "
            f"{hours:.1f} hours; expected at most {_MAX_HOURS}."
        )


def _claim_folder(release: SimulatedRelease) -> None:
    """Mark a folder as simulated and remove an earlier simulation; refuse any other data."""
    root = release.root
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: expected a folder to write to, found a file.")
    earlier = read_simulation(root)
    if earlier is None and root.is_dir():
        names = (*FOLDERS.values(), "truth")
        for path in sorted(root.iterdir()):
            if path.name in names or path.name.startswith(("participant_ratings.", "video_list.")):
                raise _not_ours(path)
    old = [
        path
        for kind, folder in FOLDERS.items()
        for path in sorted((root / folder).glob(f"s[0-9][0-9]{SUFFIXES[kind]}"))
    ]
    # The real DEAP may have been copied over a simulation: look before deleting.
    for path in old:
        if earlier is None or not _is_simulated(path, earlier):
            raise _not_ours(path)
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / MARKER, _describe(release))
    # Subjects of an earlier, larger simulation would otherwise mingle with the new ones.
    for path in [*old, *(root / "truth").glob("s[0-9][0-9].npz"), root / "truth" / "truth.json"]:
        path.unlink(missing_ok=True)


def _is_simulated(path: Path, release: SimulatedRelease) -> bool:
    """Return whether the content of a file is that of the simulated release."""
    if path.suffix == ".bdf":
        return is_simulated_bdf(path, int(path.stem[1:]), release.seed)
    if path.suffix not in SUFFIXES.values():
        return False
    labels = simulate_ratings(int(path.stem[1:]), release.n_trials, release.seed).labels
    order: Literal["C", "F"] = "F" if path.suffix == ".mat" else "C"
    with path.open("rb") as file:
        return labels.tobytes(order) in file.read(labels.nbytes + 1024)


def _not_ours(path: Path) -> InputError:
    return InputError(
        f"{path}: was not written by this simulation (by {MARKER} next to it, or its lack); it "
        "may be the real DEAP, so nothing was changed. Give a new folder."
    )


def _n_times(duration: float) -> int:
    return round((BASELINE + duration) * SFREQ)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _describe(release: SimulatedRelease) -> dict[str, Any]:
    """Return fields for JSON, without the folder: a copied release stays the same."""
    fields = asdict(release)
    del fields["root"]
    return fields
