"""The part of `check` for a folder of recordings without a table: propose one, and write it."""

from collections.abc import Callable
from pathlib import Path

from eegemo.errors import InputError

__all__ = ["check_bare_folder"]


def check_bare_folder(
    target: Path,
    *,
    write: bool,
    force: bool,
    on_file: Callable[[str, int, int], None] | None = None,
) -> tuple[str, int] | None:
    """Propose a table for a folder of recordings that has none.

    Parameters
    ----------
    target : pathlib.Path
        The data folder.
    write : bool
        Write the table into the folder.
    force : bool
        Replace a table that is there.
    on_file : callable, optional
        Called before each recording is opened, with its name, its number and the number of them.

    Returns
    -------
    text, code : (str, int) or None
        What to print, and the exit code; None if the folder is another one, to be checked as data.

    Raises
    ------
    InputError
        If a table is to be written and cannot be.
    """
    from eegemo.datasets.files import Files
    from eegemo.datasets.files.proposal import propose_table, write_proposal
    from eegemo.runs.check_data import find_dataset

    dataset = find_dataset(target)
    if not isinstance(dataset, Files):
        if write:
            kind = "no folder of recordings" if dataset is None else f"{dataset.title} already"
            raise InputError(f"check --write: {target} is {kind}; there is no table to propose.")
        return None
    there = (target / dataset.table).is_file()
    if there and not write:
        return None
    if there and not force:
        raise InputError(
            f"{target / dataset.table}: the file exists already; --force replaces it by a table "
            "that is proposed anew."
        )
    proposal = propose_table(target, on_file=on_file)
    text = proposal.text
    if write:
        text += f"\n\n{write_proposal(proposal, force=force)}: written."
    else:
        text += f"\n\nNothing was written; `eegemo check {target} --write` writes the table."
    return text, 0 if proposal.ok else 2
