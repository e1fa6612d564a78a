"""The same signals under two names: found by their content, before anything is trained."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from eegemo.errors import DataError
from eegemo.fingerprints import Near, find_identical, find_near
from eegemo.runs.naming import name_groups, ways_out

if TYPE_CHECKING:
    import pandas as pd

    from eegemo.datasets import Dataset

__all__ = ["Copies", "find_copies", "settle_copies"]


@dataclass(frozen=True)
class Copies:
    """Trials with the same signals.

    Attributes
    ----------
    identical : tuple of tuple of int
        Groups of trials with the same samples, in any order of channels.
    near : tuple of Near
        Pairs of trials with nearly the same signals.
    flat : tuple of int
        Trials in which no channel changes: they look like each other, and are not compared.
    """

    identical: tuple[tuple[int, ...], ...] = ()
    near: tuple[Near, ...] = ()
    flat: tuple[int, ...] = ()


def find_copies(
    prints: np.ndarray,
    *,
    bundle: Sequence[str] | None = None,
    load: Callable[[int], np.ndarray] | None = None,
) -> Copies:
    """Find trials with the same, or nearly the same, signals.

    Parameters
    ----------
    prints : ndarray of `eegemo.fingerprints.FINGERPRINT`, shape (n_trials,)
    bundle : sequence of str, optional
        Nearly the same signals are expected in trials of the same bundle, which may overlap.
    load : callable, optional
        Returns the signals of a trial, shape (n_times, n_channels). Then trials are called
        identical only if all of their samples are.

    Returns
    -------
    copies : Copies
    """
    identical = [
        tuple(group)
        for found in find_identical(prints)
        for group in ([found] if load is None else _confirmed(found, load))
    ]
    again = {row for group in identical for row in group[1:]}
    rows = np.array([row for row in range(len(prints)) if row not in again], np.int64)
    near = []
    for pair in find_near(prints[rows]):
        first, second = int(rows[pair.first]), int(rows[pair.second])
        if bundle is None or not bundle[first] or bundle[first] != bundle[second]:
            near.append(Near(first, second, pair.similarity, pair.delay))
    flat = np.flatnonzero(prints["flat"]).tolist()
    return Copies(tuple(identical), tuple(near), tuple(flat))


def _confirmed(rows: Iterable[int], load: Callable[[int], np.ndarray]) -> list[list[int]]:
    """Return the groups of trials whose samples are all the same, in any order of channels."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row in rows:
        channels = np.ascontiguousarray(load(row).T)
        digests = sorted(hashlib.sha256(channel).digest() for channel in channels)
        groups[b"".join(digests)].append(row)
    return [group for group in groups.values() if len(group) > 1]


def settle_copies(
    copies: Copies,
    metadata: pd.DataFrame,
    *,
    keep: Literal["refuse", "keep"] = "refuse",
    dataset: Dataset | None = None,
) -> tuple[list[str] | None, list[str]]:
    """Refuse copies, or keep those that are nearly the same in one bundle each.

    Parameters
    ----------
    copies : Copies
    metadata : DataFrame, one row per trial
    keep : {"refuse", "keep"}
        What the experiment says of nearly the same signals.
    dataset : Dataset, optional
        Its options are named in the message.

    Returns
    -------
    bundle : list of str or None
        The bundle of each trial, if that has changed.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        Naming the trials, and how to leave one of each out.
    """
    if copies.identical:
        links = [(group[0], row) for group in copies.identical for row in group[1:]]
        raise DataError(
            f"data: {_trials(len(links))} identical to another, sample by sample, so the same "
            "signals could be trained on and tested: "
            f"{name_groups(links, metadata)}. {ways_out(links, metadata, dataset)}"
        )
    notes = []
    if len(copies.flat) > 1:
        notes.append(
            f"In {len(copies.flat)} trials no channel changes, so nobody can tell whether they are "
            "copies of each other."
        )
    if not copies.near:
        return None, notes
    links = [(pair.first, pair.second) for pair in copies.near]
    named = name_groups(links, metadata)
    likeness = _between([pair.similarity for pair in copies.near])
    number = len({max(link) for link in links})
    if keep != "keep":
        raise DataError(
            f"data: {_trials(number)} nearly the same as another (similarity {likeness}; 1 is the "
            "same but for unit, sign, reference, offset or a cut), so the same signals could be "
            f"trained on and tested: {named}. {ways_out(links, metadata, dataset)} To keep them "
            "all, never divided between training and test, set data.copies: keep."
        )
    notes.append(
        f"{_trials(number)} nearly the same as another (similarity {likeness}), as {named}. They "
        "are kept (data.copies: keep), and no split divides them."
    )
    return _bundled(links, metadata), notes


def _trials(number: int) -> str:
    return f"{number} {'trial is' if number == 1 else 'trials are'}"


def _between(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _bundled(links: Sequence[tuple[int, int]], metadata: pd.DataFrame) -> list[str]:
    """Return the bundle of each trial, where linked trials and those of one bundle are one."""
    bundles = (
        metadata["bundle"].fillna("").astype(str).tolist()
        if "bundle" in metadata
        else [""] * len(metadata)
    )
    parent = list(range(len(bundles)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    for row, name in enumerate(bundles):
        if name:
            parent[root(row)] = root(first.setdefault(name, row))
    for a, b in links:
        parent[root(a)] = root(b)
    copied = {root(a) for a, _ in links}
    numbers = {top: f"copies#{k + 1}" for k, top in enumerate(sorted(copied))}
    return [numbers.get(root(row), name) for row, name in enumerate(bundles)]
