"""A simulated DEAP release as a data set, created on first use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from eegemo.datasets.base import RATINGS, Context, Dataset, Outline, Survey
from eegemo.datasets.deap.constants import DEAP_EEG_CHANNELS, SFREQ
from eegemo.datasets.deap.dataset import Deap, outline_ratings
from eegemo.errors import DataError
from eegemo.registry import Count

__all__ = ["Simulated", "simulated_bytes"]


@dataclass(frozen=True, kw_only=True)
class Simulated(Deap):
    """A simulated DEAP release, written on first use into a folder of its own below `root`.

    Parameters
    ----------
    root : path
        Folder for simulated releases. A relative path starts at the folder in which the command is
        run.
    variant : {"python", "matlab", "bdf"}
        Which of DEAP's formats to write and read.
    n_subjects : int
        Number of participants.
    n_trials : int
        Number of trials (videos) per participant.
    duration : float
        Length of a video in seconds. It is preceded by a baseline of 3 s.
    effect : float
        How strongly the signals depend on valence and arousal. At 0 there is nothing to learn.
    fingerprint : float
        Strength of the trial-specific signature, by which a split that leaks recognises the trials
        of the test set.
    seed : int
        Seed of the simulation. The same seed gives the same files.
    """

    title: ClassVar[str] = "simulated data"
    citation: ClassVar[str] = ""
    root: str = "data/simulated"
    n_subjects: Annotated[int, Ge(1), Le(99)] = 32
    n_trials: Count = 40
    duration: Annotated[float, Ge(1)] = 60.0
    effect: Annotated[float, Ge(0), Le(5)] = 1.0
    fingerprint: Annotated[float, Ge(0), Le(5)] = 0.4
    seed: Annotated[int, Ge(0)] = 0

    @property
    def folder(self) -> Path:
        """Folder of the release, named by a digest of the options that its content depends on."""
        from eegemo.store import digest_json

        return Path(self.root) / digest_json(self._arguments)[:8]

    @property
    def place(self) -> str:
        """Folder of the release, as text."""
        return str(self.folder)

    @property
    def _arguments(self) -> dict[str, Any]:
        """Arguments of `simulate_deap`."""
        return {
            "n_subjects": self.n_subjects,
            "n_trials": self.n_trials,
            "duration": float(self.duration),
            "effect": float(self.effect),
            "fingerprint": float(self.fingerprint),
            "seed": self.seed,
            "formats": [self.variant],
        }

    def prepare(self, context: Context) -> None:
        """Simulate the release, unless it is complete already."""
        from eegemo.simulation.release import simulate_deap
        from eegemo.store import lock, remove_leftovers
        from eegemo.store.space import check_space

        progress, root = context.progress, self.folder
        with lock(root.with_suffix(".lock"), wait=True, message=progress.message):
            if _is_whole(root):
                return
            remove_leftovers(root, *root.glob("data_*"))
            check_space(root, simulated_bytes(**self._arguments), "simulating this release")
            progress.message(f"Simulating a DEAP release of {self.n_subjects} subjects in {root}.")
            simulate_deap(
                root,
                **self._arguments,
                on_subject=lambda subject, i, n: progress.update(
                    "simulate", i, n, "simulate", subject
                ),
            )

    def to_be_made(self) -> str | None:
        """Describe the release if it is yet to be simulated."""
        present = self.folder.is_dir()
        return None if present else f"not there yet: to be simulated in {self.folder}"

    def expected(self) -> dict[str, Outline]:
        """Return the outlines of a release that is yet to be simulated."""
        names = [f"s{number:02d}" for number in range(1, self.n_subjects + 1)]
        if self.subjects != "all":
            names = self._chosen(names)
        if self.exclude is None:  # the usual case, which needs no MNE
            return {name: self._foretell(int(name[1:])) for name in names}
        from eegemo.datasets.exclude import exclude_subjects
        from eegemo.datasets.without_trials import outline_without

        names, trials = exclude_subjects(names, self.exclude, self.folder)
        return {
            name: outline_without(self._foretell(int(name[1:])), trials[name]) for name in names
        }

    def _chosen(self, names: Sequence[str]) -> list[str]:
        wanted = [str(subject) for subject in self.subjects]
        chosen = [f"s{int(text):02d}" if text.isdecimal() else text.lower() for text in wanted]
        absent = [text for text, name in zip(wanted, chosen, strict=True) if name not in names]
        if absent:
            raise DataError(
                f"Subject {absent[0]!r} is not among the {self.n_subjects} to be simulated."
            )
        return sorted(set(chosen))

    def _foretell(self, number: int) -> Outline:
        import pandas as pd

        from eegemo.simulation.ratings import simulate_ratings

        labels = simulate_ratings(number, self.n_trials, self.seed, self.duration).labels
        ratings = pd.DataFrame(labels, columns=list(RATINGS))
        return outline_ratings(f"s{number:02d}", ratings, self.duration, SFREQ, DEAP_EEG_CHANNELS)

    @property
    def _video(self) -> float:
        return self.duration

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder with a description of a simulation."""
        found = Deap.detect(folder)
        if not isinstance(found, Deap):
            return None
        from eegemo.simulation.release import read_simulation

        release = read_simulation(folder) or read_simulation(folder.parent)
        if release is None:
            return None
        return _Release(root=found.root, variant=found.variant, n_present=len(release.subjects))


@dataclass(frozen=True, kw_only=True)
class _Release(Deap):
    """A release that was simulated before, with any arguments."""

    n_present: int

    @property
    def _n_participants(self) -> int:
        return self.n_present

    def survey(self) -> Survey:
        survey = super().survey()
        return replace(survey, kind=f"{survey.kind}, simulated by eegemo")


def _is_whole(root: Path) -> bool:
    """Return whether a folder has a complete release of this version of the simulation."""
    from eegemo.simulation.release import SimulatedRelease, read_simulation

    release = read_simulation(root)
    if release is None or not release.complete or release.version != SimulatedRelease.version:
        return False
    files = [file for file in root.glob("data_*/s*.*") if file.is_file()]
    return len(files) == len(release.subjects) * len(release.formats)


def simulated_bytes(
    *, n_subjects: int, n_trials: int, duration: float, formats: Sequence[str], **_: Any
) -> int:
    """Return the approximate size of a simulated release; arguments as in `simulate_deap`."""
    preprocessed = n_trials * (duration + 3) * 128 * 40 * 8
    raw = n_trials * (duration + 35) * 512 * 49 * 3  # half a minute between trials
    return int(n_subjects * sum(raw if name == "bdf" else preprocessed for name in formats))
