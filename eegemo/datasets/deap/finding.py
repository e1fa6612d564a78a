"""Participants in a folder of DEAP, in any of its three forms."""

import re
from collections.abc import Sequence
from pathlib import Path

from eegemo.datasets.base import Recording
from eegemo.datasets.deap.constants import FORMS
from eegemo.datasets.deap.preprocessed import DeapRecording
from eegemo.datasets.deap.ratings import find_ratings_table, read_ratings_table
from eegemo.datasets.deap.raw import RawDeapRecording
from eegemo.datasets.deap.trials import participant_number
from eegemo.datasets.exclude import exclude_subjects
from eegemo.datasets.subjects import choose_numbered
from eegemo.datasets.without_trials import WithoutTrials
from eegemo.errors import DataError
from eegemo.formats.bdf import read_bdf_header
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = ["find_recordings_deap"]


def find_recordings_deap(
    root: str | Path,
    *,
    variant: str = "python",
    subjects: str | Sequence[str | int] = "all",
    exclude: Sequence[str | int] | None = None,
) -> list[Recording]:
    """List the participants in a DEAP folder, sorted by name.

    Parameters
    ----------
    root : str | pathlib.Path
        Folder of the release (with ``data_preprocessed_python``, ``data_preprocessed_matlab`` or
        ``data_original``), or one of these folders. Only files named like ``s01.dat`` are read.
    variant : "python" | "matlab" | "bdf"
        Form of the release; "bdf" are the original recordings, which need ``participant_ratings``
        in the folder of the release.
    subjects : "all" | sequence of str or int
        Participants to include, as ``"s01"``, ``"01"`` or ``1``.
    exclude : sequence of str or int, optional
        Participants and trials to leave out, as ``"s05"`` and ``"s01_trial-3"``.

    Returns
    -------
    list of Recording
        One per participant, without reading signals.

    Raises
    ------
    DataError
        If the folder is missing, cannot be read, holds no such file or lacks a chosen participant,
        or if the file of a participant is no regular file or leads out of the folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ["s02.dat", "s01.dat", ".DS_Store", "._s01.dat"]:
    ...     _ = (folder / name).write_bytes(b"")
    >>> [recording.subject for recording in find_recordings_deap(folder)]
    ['s01', 's02']
    """
    root = Path(root)
    if variant not in FORMS:
        raise DataError(f"Unknown variant of DEAP {variant!r}; expected one of {', '.join(FORMS)}.")
    with named_errors(root):
        if not root.is_dir():
            kind = "is a file, not a folder" if root.exists() else "does not exist"
            raise DataError(f"The DEAP folder {root} {kind}; expected the folder of the release.")
    found = _list_files(root, variant)
    if not found:
        others = [name for name in FORMS if name != variant and _list_files(root, name)]
        hint = f" It does hold variant '{others[0]}': choose that." if others else ""
        raise DataError(
            f"No file named like s01{FORMS[variant].suffix} in {root} or in "
            f"{root / FORMS[variant].folder}.{hint}"
        )
    chosen, trials = exclude_subjects(choose_numbered(list(found), subjects, root), exclude, root)
    for name in chosen:
        check_file(found[name])
        check_inside(found[name], root)
    if variant != "bdf":
        return [
            WithoutTrials.of(
                DeapRecording(subject=name, files=(found[name],), reader="deap-1"), trials[name]
            )
            for name in chosen
        ]
    table = find_ratings_table(root)
    check_inside(table, root.resolve().parent)
    for name in chosen:
        read_bdf_header(found[name])
        read_ratings_table(table, participant_number(found[name]))
    return [
        WithoutTrials.of(
            RawDeapRecording(
                subject=name, files=(found[name], table), reader="deap-bdf-1", ratings=table
            ),
            trials[name],
        )
        for name in chosen
    ]


def _list_files(root: Path, variant: str) -> dict[str, Path]:
    """Return the files with names of participants, in the release or in the folder itself."""
    folder, suffix = FORMS[variant]
    inner = root / folder
    pattern = re.compile(rf"(s\d\d+){re.escape(suffix)}")
    with named_errors(inner):
        files = list_folder(inner if inner.is_dir() else root)
    matches = ((pattern.fullmatch(file.name), file) for file in files)
    return {match[1]: file for match, file in matches if match}
