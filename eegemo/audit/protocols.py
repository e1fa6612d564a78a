"""The ways to hold out that an audit compares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eegemo.splits import LEAKING

__all__ = ["PROTOCOLS", "Protocol", "list_protocols"]


@dataclass(frozen=True)
class Protocol:
    """One way to hold out.

    Attributes
    ----------
    name : str
        The ``group`` of its split.
    title : str
        What it is called.
    about : str
        What a score above chance under it can speak for; for a leaking one, why it cannot.
    """

    name: str
    title: str
    about: str

    @property
    def leaks(self) -> bool:
        """Whether windows of one trial are in training and in test."""
        return self.name in LEAKING


#: In the order of what they share with training, the most first.
PROTOCOLS = (
    Protocol("window", "random windows", "windows of each trial are in training and in test"),
    Protocol("segment", "trials cut in time", "a piece of each trial is in training"),
    Protocol("trial", "whole trials", "unseen trials of the same people"),
    Protocol("stimulus", "whole videos", "videos that nobody in training watched"),
    Protocol("subject", "whole subjects", "people it has never met"),
)


def list_protocols(
    split: Mapping[str, Any], *, n_subjects: int, stimuli_known: bool, one_by_one: bool = True
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Derive the split of every protocol from that of an experiment.

    Number of folds, share of validation and ratios stay those of the experiment, and so does
    ``within`` wherever it makes sense: where subjects or stimuli are held out, one model is trained
    for all subjects.

    Parameters
    ----------
    split : mapping
        The experiment's section.
    n_subjects : int
    stimuli_known : bool
        Whether every trial has a stimulus, and some stimulus was met in more than one trial.
    one_by_one : bool
        Leave out one subject after another; else as many at a time as folds ask for.

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
    kept = dict(split)
    if kept["method"] == "leave_one_group_out":
        kept["method"] = k_fold
    splits: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for protocol in PROTOCOLS:
        group = protocol.name
        section = kept | {"group": group, "allow_leakage": protocol.leaks}
        if group in ("stimulus", "subject"):
            section["within"] = None
        if group == "stimulus" and not stimuli_known:
            missing[group] = "the data does not say which trials share a stimulus"
            continue
        if group == "subject":
            validated = kept["validation"] > 0
            if n_subjects < 2 + validated:
                missing[group] = f"{2 + validated} subjects are needed, and there are {n_subjects}"
                continue
            if kept["method"] == k_fold and (one_by_one or n_subjects <= kept["n_splits"]):
                section["method"] = "leave_one_group_out"
        splits[group] = section
    return splits, missing
