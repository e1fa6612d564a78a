"""Groups that share a bundle of trials, made one group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["merge_bundled"]

_MOST_NAMES = 3  # in the name of a merged group


def merge_bundled(
    groups: np.ndarray, names: Sequence[str], bundles: pd.Series
) -> tuple[np.ndarray, list[str]]:
    """Merge groups that are connected by bundles, directly or through others.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        Group number of each row.
    names : sequence of str
        The name of each group.
    bundles : Series of str, shape (n,)
        Rows of the same bundle stay together; ``""`` is none.

    Returns
    -------
    groups, names
        The same, where nothing is merged. Otherwise the order is that of the first member of each
        group, and merged names are joined by ``"+"``.

    Examples
    --------
    >>> import pandas as pd
    >>> bundles = pd.Series(["", "x", "x", "", "y", "y"])
    >>> groups, names = merge_bundled(np.array([0, 0, 1, 2, 2, 2]), ["a", "b", "c"], bundles)
    >>> groups.tolist(), names
    ([0, 0, 0, 1, 1, 1], ['a+b', 'c'])
    """
    import pandas as pd

    bundled = (bundles != "").to_numpy()
    links = pd.DataFrame({"bundle": pd.factorize(bundles)[0], "group": groups})[bundled]
    links = links.drop_duplicates()
    if not links["bundle"].duplicated().any():
        return groups, list(names)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # the groups of a bundle form a chain
    links = links.sort_values("bundle", kind="stable")
    same = np.diff(links["bundle"]) == 0
    first, second = links["group"].to_numpy()[:-1][same], links["group"].to_numpy()[1:][same]
    shape = (len(names), len(names))
    graph = coo_array((np.ones(len(first)), (first, second)), shape=shape)
    number, component = connected_components(graph, directed=False)
    members: list[list[str]] = [[] for _ in range(number)]
    for name, part in zip(names, component, strict=True):
        members[part].append(name)
    order = np.argsort([np.flatnonzero(component == part)[0] for part in range(number)])
    rank = np.empty(number, np.int64)
    rank[order] = np.arange(number)
    return rank[component][groups], [_joined(members[part]) for part in order]


def _joined(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return "+".join(names[:_MOST_NAMES]) + (f"+{more} more" if more > 0 else "")
