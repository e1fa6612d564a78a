"""A recording without some of its trials, and its outline, for the option ``exclude``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eegemo.datasets.base import Outline, Recording, Run
from eegemo.datasets.exclude import Exclusion
from eegemo.errors import DataError

__all__ = ["WithoutTrials", "outline_without"]


@dataclass(frozen=True)
class _CutWithout:
    """Cuts the trials out of continuous signals, without those that are left out."""

    make_epochs: Any
    trials: frozenset[int]
    seen: list[int]  # the numbers of all trials, filled when they are cut

    def __call__(self, raw: Any) -> list[Any]:
        found = self.make_epochs(raw)
        parts = found if isinstance(found, list) else [found]
        for epochs in parts:
            self.seen.extend(epochs.metadata["trial"])
        kept = [_keep(epochs, self.trials) for epochs in parts]
        return [epochs for epochs in kept if len(epochs)] or kept[:1]


def _keep(epochs: Any, trials: frozenset[int]) -> Any:
    rows = (~epochs.metadata["trial"].isin(trials)).to_numpy().nonzero()[0]
    return epochs if len(rows) == len(epochs.metadata) else epochs[rows]


@dataclass(frozen=True, eq=False, kw_only=True)
class WithoutTrials(Recording):
    """A recording without some of its trials, which keep their numbers.

    Attributes
    ----------
    inner : Recording
        The recording with all trials.
    trials : frozenset of int
        The trials that are left out.
    """

    inner: Recording
    trials: frozenset[int]

    @classmethod
    def of(cls, inner: Recording, exclusions: Sequence[Exclusion]) -> Recording:
        """Return a recording without the trials that are excluded; itself if there are none.

        Raises
        ------
        DataError
            If a trial is named by something else than a number.
        """
        if not exclusions:
            return inner
        trials = _numbers(exclusions)
        options = {**inner.options, "exclude": sorted(trials)}
        return cls(inner.subject, inner.files, inner.reader, options, inner=inner, trials=trials)

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield the runs without the trials that are left out (see `Recording.read`).

        Raises
        ------
        DataError
            If a trial that is to be left out does not exist, or none is left.
        """
        notes: tuple[str, ...] = (
            f"{len(self.trials)} trial{'s' * (len(self.trials) > 1)} left out, excluded: "
            f"{', '.join(map(str, sorted(self.trials)))}",
        )
        present: list[int] = []
        n_runs = 0
        inst: Any
        make_epochs: Any
        for run in self.inner.read(eeg_only=eeg_only):
            if run.make_epochs is None:
                present += run.inst.metadata["trial"].tolist()
                inst, make_epochs = _keep(run.inst, self.trials), None
                if not len(inst):
                    notes += run.notes  # they go with the next run
                    continue
            else:
                inst = run.inst
                make_epochs = _CutWithout(run.make_epochs, self.trials, present)
            yield replace(run, inst=inst, make_epochs=make_epochs, notes=(*notes, *run.notes))
            n_runs, notes = n_runs + 1, ()
        if present:  # else nobody has cut the trials
            _check_trials(self.subject, self.trials, present)
        if not n_runs:
            raise DataError(f"subject {self.subject}: data.exclude leaves no trial.")

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        return self.inner.least_bytes(steps) // 10

    def outline(self, outline: Outline) -> Outline:
        """Return an outline of the recording with all trials without those that are left out."""
        return _outline(outline, self.trials)


def outline_without(outline: Outline, exclusions: Sequence[Exclusion]) -> Outline:
    """Return an outline without the trials that are excluded.

    Raises
    ------
    DataError
        If there is no such trial.
    """
    return _outline(outline, _numbers(exclusions)) if exclusions else outline


def _numbers(exclusions: Sequence[Exclusion]) -> frozenset[int]:
    for found in exclusions:
        if not (found.trial or "").isdecimal():
            raise DataError(f"data.exclude: {found.text!r}: trials have numbers, as in trial-3.")
    return frozenset(int(str(found.trial)) for found in exclusions)


def _check_trials(subject: str, trials: frozenset[int], present: Sequence[int]) -> None:
    absent = sorted(trials - set(present))
    if absent:
        raise DataError(
            f"data.exclude: subject {subject} has no trial {absent[0]}; its trials are "
            f"{min(present)} to {max(present)}."
        )


def _outline(outline: Outline, trials: frozenset[int]) -> Outline:
    numbers = outline.metadata["trial"]
    _check_trials(str(outline.metadata["subject"].iloc[0]), trials, numbers.tolist())
    kept = (~numbers.isin(trials)).to_numpy(dtype=bool)
    return replace(
        outline,
        metadata=outline.metadata[kept].reset_index(drop=True),
        durations=tuple(
            seconds for seconds, keep in zip(outline.durations, kept, strict=True) if keep
        ),
    )
