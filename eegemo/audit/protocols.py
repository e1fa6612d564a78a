"""The evaluation protocols that an audit compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eegemo.splits import LEAKING

__all__ = ["PROTOCOLS", "Protocol", "list_protocols"]


@dataclass(frozen=True)
class Protocol:
    """An evaluation protocol: what a split holds out.

    Attributes
    ----------
    name : str
        The ``group`` of its split.
    title : str
        Its title in reports.
    about : str
        What a score above chance is evidence about; for a leaking protocol, why it is not evidence.
    """

    name: str
    title: str
    about: str

    @property
    def leaks(self) -> bool:
        """Whether windows of one trial are in both training and test."""
        return self.name in LEAKING


#: Ordered by how much test and training share, most first.
PROTOCOLS = (
    Protocol("window", "random windows", "windows of each trial are in both training and test"),
    Protocol("segment", "trials split in time", "a segment of each trial is in training"),
    Protocol("trial", "by trial", "unseen trials of the same participants"),
    Protocol("run", "by recording", "unseen recordings of the same participants"),
    Protocol("session", "by session", "unseen sessions of the same participants"),
    Protocol("stimulus", "by video", "videos that no participant in training watched"),
    Protocol("subject", "by subject", "unseen participants"),
)


def list_protocols(
    split: Mapping[str, Any],
    *,
    n_subjects: int,
    stimuli_known: bool,
    one_by_one: bool = True,
    constant_over: Sequence[str] = (),
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Derive the split of every protocol from that of an experiment.

    The number of folds, the fraction of validation and the ratios stay those of the experiment. So
    does ``within``, except where subjects or stimuli are held out: there, one model is trained for
    all subjects.

    Parameters
    ----------
    split : mapping
        The experiment's section.
    n_subjects : int
    stimuli_known : bool
        Whether every trial has a stimulus, and at least one stimulus occurs in several trials.
    one_by_one : bool
        Leave one subject out at a time; else as many as the number of folds gives.
    constant_over : sequence of str
        What the class is constant over (`eegemo.splits.constant_over`). Whole recordings or
        sessions are held out only where it is them; a protocol that divides them then leaks, and is
        allowed to.

    Returns
    -------
    splits : dict of str to dict
        Section of each protocol that can be run, in order.
    missing : dict of str to str
        Why the others cannot.

    Examples
    --------
    >>> split = {"method": "stratified_group_k_fold", "n_splits": 3, "validation": 0.2}
    >>> split |= {"group": "window", "within": None}
    >>> splits, missing = list_protocols(split, n_subjects=1, stimuli_known=False)
    >>> list(splits), sorted(missing)
    (['window', 'segment', 'trial'], ['stimulus', 'subject'])
    """
    k_fold = "stratified_group_k_fold"
    base = dict(split)
    if base["method"] == "leave_one_group_out":
        base["method"] = k_fold
    splits: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for protocol in PROTOCOLS:
        group = protocol.name
        if group in ("run", "session") and group not in constant_over:
            continue  # nothing is learnt from it that the split by trial does not tell
        divides = bool(constant_over) and _divides(group, constant_over[-1])
        section = base | {"group": group, "allow_leakage": protocol.leaks or divides}
        if group in ("stimulus", "subject"):
            section["within"] = None
        if group == "stimulus" and not stimuli_known:
            missing[group] = "the data does not say which trials share a stimulus"
            continue
        if group == "subject":
            validated = base["validation"] > 0
            if n_subjects < 2 + validated:
                missing[group] = f"{2 + validated} subjects are needed, and there are {n_subjects}"
                continue
            if base["method"] == k_fold and (one_by_one or n_subjects <= base["n_splits"]):
                section["method"] = "leave_one_group_out"
        splits[group] = section
    return splits, missing


def _divides(group: str, unit: str) -> bool:
    """Return whether groups may divide a unit that the class is constant over."""
    nested = ("window", "segment", "trial", "run", "session", "subject")
    return group not in nested or nested.index(group) < nested.index(unit)
