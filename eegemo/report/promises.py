"""What a result was tested on that its models had not met: people, stimuli, both or neither.

Counted from the stored roles of trials (``folds.csv``). Results without them have the counts of
each fold's record, which do not tell with whom a stimulus was seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from eegemo.evaluation import TRIAL_KEYS
from eegemo.results import Result

__all__ = ["Promise", "make_promise", "promise_clause", "stimulus_caveat"]

Stimuli = Literal["unseen", "seen", "unknown"]
SeenBy = Literal["same", "others", "both", "somebody"]


@dataclass(frozen=True)
class Promise:
    """What the test sets of a result hold that training had not.

    Attributes
    ----------
    people : {"unseen", "seen"}
        Whether no person of a test set is in its training or validation set.
    stimuli : {"unseen", "seen", "unknown"}
        The same of stimuli; "unknown" where the data name none for some trials, and none of the
        others is shared.
    seen_by : {"same", "others", "both", "somebody"} or None
        Whose trials of a test stimulus are in training: those of the same person, of others, of
        both, or it is not known whose.
    n_seen, n_test : int
        Test trials whose stimulus was in training, and test trials, over all folds; 0 where only
        counts of each fold are stored.
    """

    people: Literal["unseen", "seen"]
    stimuli: Stimuli
    seen_by: SeenBy | None = None
    n_seen: int = 0
    n_test: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes, ready for JSON."""
        return asdict(self)


def make_promise(result: Result) -> Promise:
    """Count what the test sets of a result share with training.

    Parameters
    ----------
    result : Result

    Returns
    -------
    promise : Promise
    """
    shared = [record.get("shared", {}) for record in result.records]
    people: Literal["unseen", "seen"] = (
        "seen" if any(counts.get("subject") for counts in shared) else "unseen"
    )
    roles = result.roles
    if roles is not None:
        return _from_roles(roles, people)
    seen = any(counts.get("stimulus") for counts in shared)
    unnamed = bool((result.predictions["stimulus"] == "").any())
    if not seen:
        return Promise(people, "unknown" if unnamed else "unseen")
    if people == "unseen":
        return Promise(people, "seen", "others")
    if result.provenance["split"]["within"] == "subject":
        return Promise(people, "seen", "same")
    return Promise(people, "seen", _seen_by(result.predictions))


def _seen_by(predictions: pd.DataFrame) -> SeenBy:
    """Tell from the test trials of all folds whose trials can share a stimulus with them."""
    named = predictions["stimulus"] != ""
    trials = predictions.loc[named, [*TRIAL_KEYS, "stimulus"]].drop_duplicates()
    again = bool(trials.duplicated(["subject", "stimulus"]).any())
    pairs = trials.drop_duplicates(["subject", "stimulus"])
    across = bool(pairs.duplicated("stimulus").any())
    return "somebody" if again == across else "same" if again else "others"


def _from_roles(roles: pd.DataFrame, people: Literal["unseen", "seen"]) -> Promise:
    folds = [name for name in roles if str(name).startswith("fold_")]
    named = (roles["stimulus"] != "").to_numpy()
    stimulus = pd.factorize(roles["stimulus"])[0]
    pair = pd.factorize(roles["subject"] + "\0" + roles["stimulus"])[0]
    n_test = n_seen = n_unnamed = 0
    by_same = by_others = False
    for name in folds:
        role = roles[name].to_numpy()
        test, learnt = role == "test", np.isin(role, ("train", "validation"))
        n_test += int(test.sum())
        n_unnamed += int((test & ~named).sum())
        if (learnt & ~named).any():  # what they showed may be what a test trial shows
            n_unnamed += int((test & named).sum())
        known = test & named
        seen = known & np.isin(stimulus, stimulus[learnt & named])
        same = known & np.isin(pair, pair[learnt & named])
        n_seen += int(seen.sum())
        by_same |= bool(same.any())
        # of the people in training who saw it, is somebody another one?
        owners = pd.Series(pair[learnt & named]).groupby(stimulus[learnt & named]).nunique()
        n_owners = owners.reindex(stimulus[seen]).to_numpy()
        by_others |= bool((n_owners > same[seen]).any())
    if n_seen:
        seen_by: SeenBy = "both" if by_same and by_others else "same" if by_same else "others"
        return Promise(people, "seen", seen_by, n_seen, n_test)
    return Promise(people, "unknown" if n_unnamed else "unseen", None, 0, n_test)


_WHOSE = {"same": "the same people", "others": "other people", "both": "the same and other people"}


def _tell_whose(promise: Promise) -> str:
    if promise.seen_by is None:
        return ""
    some = 0 < promise.n_seen < promise.n_test
    which = f"those of {promise.n_seen:,} of {promise.n_test:,} test trials" if some else "them"
    if promise.seen_by == "somebody":
        return f" ({'they' if not some else which} were in training)"
    return f" ({_WHOSE[promise.seen_by]} saw {which} in training)"


def promise_clause(promise: Promise) -> str:
    """Say what was tested, to end the headline's sentence.

    Examples
    --------
    >>> promise_clause(Promise("unseen", "seen", "others"))
    'tested on unseen people, but not on unseen stimuli (other people saw them in training)'
    """
    whose = _tell_whose(promise)
    return {
        ("unseen", "unseen"): "tested on unseen people and on unseen stimuli",
        ("unseen", "seen"): f"tested on unseen people, but not on unseen stimuli{whose}",
        ("unseen", "unknown"): (
            "tested on unseen people; whether on unseen stimuli cannot be told, since the data do "
            "not name them"
        ),
        ("seen", "unseen"): "tested on unseen stimuli, but not on unseen people",
        ("seen", "seen"): f"tested neither on unseen people nor on unseen stimuli{whose}",
        ("seen", "unknown"): (
            "not tested on unseen people; whether on unseen stimuli cannot be told, since the data "
            "do not name them"
        ),
    }[promise.people, promise.stimuli]


def stimulus_caveat(promise: Promise) -> str:
    """Warn of test stimuli that were seen in training; empty if there are none."""
    if promise.stimuli != "seen":
        return ""
    with_whom = {
        "same": "with the same subjects",
        "others": "with other subjects",
        "both": "with the same and with other subjects",
        "somebody": "",
    }[promise.seen_by or "somebody"]
    n = ""
    if 0 < promise.n_seen < promise.n_test:
        n = f" ({promise.n_seen:,} of {promise.n_test:,} test trials)"
    start = " ".join(filter(None, ("The test stimuli were seen in training", with_whom)))
    return (
        f"{start}{n}: recognising the stimulus may be enough, and nothing is known about other "
        "stimuli."
    )
