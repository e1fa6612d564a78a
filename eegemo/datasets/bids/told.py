"""What a report says about the files and tables of a BIDS data set, counted over all recordings."""

from collections import Counter
from collections.abc import Sequence

from eegemo.datasets.bids.recording import BidsRecording
from eegemo.datasets.exclude import shorten

__all__ = ["sum_up"]


def sum_up(recordings: Sequence[BidsRecording]) -> list[str]:
    """Return what the user should know, each thing once.

    Parameters
    ----------
    recordings : sequence of BidsRecording

    Returns
    -------
    notes : list of str
    """
    return [
        *_rows(recordings),
        *_bundles(recordings),
        *_told(recordings),
    ]


def _rows(recordings: Sequence[BidsRecording]) -> list[str]:
    left_out: Counter[str] = Counter()
    for recording in recordings:
        for reasons in recording.left_out:
            left_out.update(reasons)
    n_trials = sum(len(events) for recording in recordings for events in recording.events)
    if not left_out:
        return []
    n_rows = n_trials + left_out.total()
    why = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
    return [f"events.tsv: of {n_rows} rows, {n_trials} are trials; left out: {why}."]


def _bundles(recordings: Sequence[BidsRecording]) -> list[str]:
    bundled = [each for recording in recordings for each in recording.bundled]
    overlapping = sum(each.overlapping for each in bundled)
    repeated = sum(each.repeated for each in bundled)
    notes = []
    if overlapping:
        longest = max(each.overlap for each in bundled)
        begin = "trial begins" if overlapping == 1 else "trials begin"
        notes.append(
            f"{overlapping} {begin} before another has ended (by up to {longest:.3g} s); trials "
            "that overlap are on the same side of every split."
        )
    if repeated:
        have = "trial has" if repeated == 1 else "trials have"
        notes.append(
            f"{repeated} {have} the stimulus of the trial before; consecutive events of one "
            "stimulus are on the same side of every split."
        )
    return notes


def _told(recordings: Sequence[BidsRecording]) -> list[str]:
    places: dict[str, list[str]] = {}
    for recording in recordings:
        for what, where in recording.told:
            places.setdefault(what, []).append(where)
    return [f"{what[0].upper()}{what[1:]}: {shorten(where)}." for what, where in places.items()]
