"""DEAP's table ``participant_ratings``: order of presentation and ratings of the videos.

Original recordings have their trials in the order of presentation, which was random for each
participant; preprocessed files in the order of the videos. This table relates the two::

    Participant_id, Trial, Experiment_id, Start_time, Valence, Arousal, ..., Familiarity
    1,              1,     5,             1695918,    6.96,    3.92,    ..., 4

Trial counts presentations, Experiment_id is the video, Start_time is in microseconds.
"""

from pathlib import Path

import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.errors import DataError
from eegemo.formats.files import check_file, list_folder, named_errors

__all__ = ["find_ratings_table", "read_ratings_table"]

_NAME = "participant_ratings"
_SUFFIXES = (".csv", ".xls", ".xlsx", ".ods")
_KEYS = ("participant_id", "trial", "experiment_id")
_OPTIONAL = ("start_time", "familiarity")
_MAX_BYTES = 50_000_000  # the real table has 70 kB


def find_ratings_table(root: Path) -> Path:
    """Find the table of ratings of a release.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the release, or of its recordings.

    Returns
    -------
    pathlib.Path
        ``participant_ratings`` in `root`, in the folder above, or in a folder of these whose name
        begins with ``metadata``; ``.csv`` before ``.xls``, ``.xlsx`` and ``.ods``.

    Raises
    ------
    DataError
        If there is no such table.
    """
    folders = []
    for folder in (root, root.resolve().parent):
        with named_errors(folder):
            inner = [
                path
                for path in list_folder(folder)
                if path.name.lower().startswith("metadata") and path.is_dir()
            ]
        folders += [folder, *inner]
    for suffix in _SUFFIXES:
        for folder in folders:
            path = folder / f"{_NAME}{suffix}"
            if path.is_file():
                return path
    raise DataError(
        f"{root} holds no {_NAME}.csv. The recordings (BDF) do not say which video was shown when, "
        "nor how it was rated; put the table of DEAP's metadata into the release's folder."
    )


def read_ratings_table(path: str | Path, participant: int | None = None) -> pd.DataFrame:
    r"""Read the table of ratings, or the rows of a participant.

    Parameters
    ----------
    path : str | pathlib.Path
        ``participant_ratings`` as ``.csv`` (with commas or semicolons), or as ``.xls``, ``.xlsx``
        or ``.ods`` if the packages that pandas needs for these are installed.
    participant : int | None
        Number of a participant; None gives all.

    Returns
    -------
    DataFrame
        One row per presentation, in their order: participant_id, trial (from 1), experiment_id,
        valence, arousal, dominance, liking (1 to 9, NaN if missing), start_time (microseconds),
        familiarity (NaN if missing).

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column or the participant, or has a rating outside 1 to
        9, trials that are not numbered from 1 on, or a video twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "participant_ratings.csv"
    >>> _ = path.write_text(
    ...     "Participant_id,Trial,Experiment_id,Valence,Arousal,Dominance,Liking\n"
    ...     "1,2,1,5.5,4.5,3,2\n"
    ...     "1,1,2,6.5,3.5,4,9\n"
    ... )
    >>> read_ratings_table(path, 1)[["trial", "experiment_id", "valence"]].values.tolist()
    [[1.0, 2.0, 6.5], [2.0, 1.0, 5.5]]
    """
    path = Path(path)
    table = _read_table(path)
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in (*_KEYS, *RATINGS) if name not in table]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns[:12])) or 'none'}."
        )
    columns = [*_KEYS, *RATINGS, *(name for name in _OPTIONAL if name in table)]
    table = table[columns].dropna(how="all")
    if participant is not None:
        numbers = pd.to_numeric(table["participant_id"], errors="coerce")
        present = sorted(int(number) for number in numbers.dropna().unique())
        table = table[(numbers == participant).to_numpy()]
        if table.empty:
            raise DataError(
                f"{path} has no row of participant {participant}; it has participants "
                f"{_join_numbers(present)}."
            )
    table = pd.DataFrame({name: _numbers(table, name, path) for name in columns})
    for name in _OPTIONAL:
        if name not in table:
            table[name] = float("nan")
    _check(table, path)
    table = table.astype(dict.fromkeys(_KEYS, "int64"))
    return table.sort_values(["participant_id", "trial"], kind="stable").reset_index(drop=True)


def _read_table(path: Path) -> pd.DataFrame:
    check_file(path)
    with named_errors(path):
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes; that is not DEAP's table.")
        try:
            if path.suffix.lower() == ".csv":
                with path.open(encoding="utf-8-sig") as file:
                    semicolons = ";" in (line := file.readline()) and "," not in line
                # a spreadsheet in a country of decimal commas exports with semicolons
                return pd.read_csv(
                    path,
                    encoding="utf-8-sig",
                    index_col=False,
                    sep=";" if semicolons else ",",
                    decimal="," if semicolons else ".",
                )
            table: pd.DataFrame = pd.read_excel(path)
            return table
        except ImportError as error:
            raise DataError(
                f"{path} cannot be read here: {error}. Or save the table as {_NAME}.csv "
                "(comma separated) next to it."
            ) from error
        except OSError:
            raise
        except Exception as error:  # parsers of four formats raise many types
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"{path} cannot be read as a table: {reason}.") from error


def _numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[name], errors="coerce").astype(float)
    wrong = numbers.isna() & table[name].notna()
    if wrong.any():
        raise DataError(
            f"{path}: {name} is {str(table[name][wrong].iloc[0])[:40]!r} in a row; expected a "
            "number."
        )
    return numbers


def _check(table: pd.DataFrame, path: Path) -> None:
    keys = table[list(_KEYS)]
    whole = (keys >= 1) & (keys <= 10**6) & (keys % 1 == 0)
    if not whole.all(axis=None):
        name = next(name for name in _KEYS if not whole[name].all())
        raise DataError(
            f"{path}: {name} is {keys[name][~whole[name]].iloc[0]:g} in a row; expected a whole "
            "number from 1 on."
        )
    for name in RATINGS:
        outside = (table[name] < 1) | (table[name] > 9)
        if outside.any():
            row = table[outside].iloc[0]
            raise DataError(
                f"{path}: the {name} of participant {row['participant_id']:g}, trial "
                f"{row['trial']:g} is {row[name]:g}; expected 1 to 9."
            )
    for participant, rows in table.groupby("participant_id"):
        trials = sorted(rows["trial"].astype(int))
        if trials != list(range(1, len(rows) + 1)):
            raise DataError(
                f"{path}: the trials of participant {participant:g} are {_join_numbers(trials)}; "
                f"expected each of 1 to {len(rows)} once."
            )
        twice = rows["experiment_id"].duplicated()
        if twice.any():
            raise DataError(
                f"{path}: participant {participant:g} has video (Experiment_id) "
                f"{rows['experiment_id'][twice].iloc[0]:g} more than once."
            )


def _join_numbers(numbers: list[int]) -> str:
    text = ", ".join(map(str, numbers[:40]))
    return f"{text}, ..." if len(numbers) > 40 else text or "none"
