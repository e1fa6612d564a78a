"""The verdicts: each branch of the rule, from differences whose test results are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from eegemo.comparison import Pair, first_sentence, grounds, judge, limits
from eegemo.comparison.comparable import other_settings
from eegemo.comparison.paired import adjust, deciding_unit
from eegemo.evaluation.baseline import share_of_test
from eegemo.evaluation.statistics import (
    corrected_resampled_t_test,
    correlated_t_test,
    mcnemar,
    wilcoxon_signed_rank,
)

ALIKE = np.array([True, False] * 20)


def make_pair(gaps, *, unit="fold", votes=(ALIKE, ALIKE), names=("A", "B"), base=0.4, gap=None):
    """Two results whose units differ by `gaps`, with every test made of these."""
    gaps = np.asarray(gaps, dtype=float)
    n = len(gaps)
    part = {
        "n": n,
        "mean": float(gaps.mean()),
        "sd": float(gaps.std(ddof=1)) if n > 1 else None,
        "higher": int((gaps > 0).sum()),
        "lower": int((gaps < 0).sum()),
        "equal": int((gaps == 0).sum()),
    }
    tests = {
        "folds": corrected_resampled_t_test(gaps, test_share=0.25),
        "subjects": wilcoxon_signed_rank(np.full(n, base), base + gaps),
        "trials": mcnemar(*votes),
    }
    gap = float(gaps.mean()) if gap is None else gap
    return Pair(
        first=names[0],
        second=names[1],
        unit=unit,
        scores=dict.fromkeys(("window", "trial"), (base, base + gap)),
        intervals={
            level: {"trials": (gap - 0.05, gap + 0.05), "subjects": None}
            for level in ("window", "trial")
        },
        units={"fold": part, "subject": part},
        tests=tests,
        practical=correlated_t_test(gaps, correlation=0.2 if unit == "fold" else 0.0),
        above_chance=(True, True),
        adjusted={name: test.p_value for name, test in tests.items()},
    )


def make_results(scores, *, above=True, simulated=False):
    """As much of results as sentences need."""
    verdict = {"evidence": "yes" if above else "none", "p": 0.005 if above else 0.4}
    verdict |= {"p_kind": "refitted", "n_refits": 199}
    results = {}
    for name, score in scores.items():
        window = {
            "total": {"balanced_accuracy": score},
            "baselines": {"chance": {"balanced_accuracy": 0.25}},
        }
        results[name] = SimpleNamespace(
            settings={},
            simulated=simulated,
            leaks=False,
            assessment=SimpleNamespace(
                metrics={"n_subjects": 4, "verdict": dict(verdict)}, levels={"window": window}
            ),
        )
    return results


CLEAR = [0.20, 0.22, 0.19, 0.21, 0.20, 0.23]
TINY = [0.004, 0.0045, 0.0042, 0.0041, 0.0044, 0.0043]
NONE = [0.001, -0.001, 0.002, -0.002, 0.0015, -0.001]
WIDE = [0.20, -0.15, 0.10, -0.05, 0.12, -0.10]


@pytest.mark.parametrize("unit", ["fold", "subject"])
@pytest.mark.parametrize(
    ("gaps", "verdict", "says"),
    [
        (CLEAR, "better", "B is better than A in balanced accuracy of windows, 0.608 against"),
        (TINY, "too little", "but by too little to matter: they differ by 0.004, and the true"),
        (NONE, "equivalent", "B (0.400) and A (0.400) are practically equivalent in balanced"),
        (
            WIDE,
            "open",
            "No test finds a difference between B (0.420) and A (0.400) in balanced accuracy of",
        ),
        ([0.0] * 6, "same", "B (0.400) and A (0.400) scored the same"),
    ],
)
def test_each_verdict_and_its_words(gaps, verdict, says, unit):
    pair = make_pair(gaps, unit=unit)
    assert judge(pair) == verdict
    sentence = first_sentence(make_results({"A": 0.4, "B": 0.4 + np.mean(gaps)}), [pair])
    assert says in sentence
    assert sentence.endswith(".")
    name = "Wilcoxon signed-rank test" if unit == "subject" else "corrected resampled t-test"
    assert grounds([pair])[0].startswith(f"The {name} over 6 {unit}s decides: p ")


def test_an_open_verdict_gives_both_probabilities():
    pair = make_pair(WIDE)
    sentence = first_sentence(make_results({"A": 0.4, "B": 0.42}, simulated=True), [pair])
    assert sentence == (
        "On simulated data, no test finds a difference between B (0.420) and A (0.400) in "
        "balanced accuracy of windows: they differ by 0.020, and the true difference lies within "
        "±0.01, the region of "
        f"practical equivalence, with probability {pair.practical.p_equivalent:.2f}; B is better "
        f"by more with probability {pair.practical.p_second_better:.2f}."
    )
    assert "A difference that no test finds may still exist." in limits(
        {k: with_repeats(r, 1) for k, r in make_results({"A": 0.4, "B": 0.42}).items()}, [pair]
    )


def with_repeats(result, repeats):
    result.predictions = {"repeat": np.repeat(np.arange(repeats), 2).view(UniqueArray)}
    return result


class UniqueArray(np.ndarray):
    def nunique(self):
        return len(np.unique(self))


def test_repeats_are_said_to_be_covered_or_not():
    results = make_results({"A": 0.4, "B": 0.6})
    for repeats, words in ((1, "With one repeat"), (3, "It covers 3 repeats")):
        for result in results.values():
            with_repeats(result, repeats)
        assert any(line.startswith(words) for line in limits(results, [make_pair(CLEAR)]))


def test_a_test_that_does_not_decide_is_named_but_does_not():
    better = ALIKE.copy()
    better[1::2] = True
    pair = make_pair(WIDE, votes=(ALIKE, better))
    assert pair.tests["trials"].p_value < 0.001
    assert judge(pair) == "open"
    sentence = first_sentence(make_results({"A": 0.4, "B": 0.42}), [pair])
    assert sentence.startswith("The tests disagree on a difference between B (0.420) and A (0.400)")
    words = " ".join(grounds([pair]))
    assert "McNemar's test over trials, which takes the trained models as given, has p" in words
    assert "does not decide" in words


def test_folds_that_point_another_way_decide_nothing():
    pair = make_pair([-gap for gap in CLEAR], gap=0.01)
    assert pair.p_value < 0.05
    assert judge(pair) == "open"
    assert "have another sign than that of all predictions together" in " ".join(grounds([pair]))


@pytest.mark.parametrize("gaps", [[0.1], [0.1, 0.1, 0.1]])
def test_what_cannot_be_tested_is_not_judged(gaps):
    pair = make_pair(gaps)
    assert judge(pair) == "untested"
    sentence = first_sentence(make_results({"A": 0.4, "B": 0.5}), [pair])
    assert sentence.startswith("No conclusion is possible about B (0.500) and A (0.400)")
    # six subjects who all differ by the same: a small p-value, but no spread to judge size by
    assert judge(make_pair([0.1] * 6, unit="subject")) == "better"


def test_results_at_chance_are_not_ranked():
    pair = replace(make_pair(CLEAR), above_chance=(False, False))
    assert judge(pair) == "chance"
    sentence = first_sentence(make_results({"A": 0.4, "B": 0.6}, above=False), [pair])
    assert sentence == (
        "Neither is distinguishable from chance (0.25), so they are not ranked: balanced "
        "accuracy of windows B 0.600 (p = 0.40, 199 refits) and A 0.400 (p = 0.40, 199 refits)."
    )
    assert grounds([pair]) == []


def test_scores_that_were_not_tested_are_ranked_and_said_not_to_be():
    results = make_results({"A": 0.4, "B": 0.6})
    results["B"].assessment.metrics["verdict"] |= {"evidence": "not tested", "p": None}
    sentence = first_sentence(results, [make_pair(CLEAR)])
    assert sentence.endswith(" B was not tested against chance.")
    assert "distinguishable" not in sentence


def test_three_results_are_judged_after_holm():
    gaps = [0.05, 0.07, 0.02, 0.06, 0.03, 0.05]
    raw = [
        make_pair(gaps, names=("B", "A")),
        make_pair(CLEAR, names=("C", "A")),
        make_pair(WIDE, names=("C", "B")),
    ]
    alone = raw[0].p_value
    assert alone <= 0.05
    pairs = adjust(raw)
    assert pairs[0].p_value == pytest.approx(2 * alone)
    assert [judge(pair) for pair in pairs] == ["better", "better", "open"]
    sentence = first_sentence(make_results({"A": 0.65, "B": 0.6, "C": 0.4}), pairs)
    assert sentence == (
        "Of three (A 0.650, B 0.600 and C 0.400 in balanced accuracy of windows), A is better than "
        "B and C; no test finds a difference between B and C."
    )
    assert "adjusted by Holm's method for 3 pairs" in grounds(pairs)[0]


def test_many_results_are_counted():
    names = "ABCDE"
    pairs = [make_pair(WIDE, names=(names[j], names[i])) for i in range(5) for j in range(i + 1, 5)]
    scores = dict(zip(names, (0.5, 0.49, 0.48, 0.47, 0.46), strict=True))
    sentence = first_sentence(make_results(scores), pairs)
    assert sentence.endswith("0 of 10 pairs differ; A and B, the highest two, do not.")


@pytest.mark.parametrize(
    ("within", "n_subjects", "unit"),
    [("subject", 6, "subject"), ("subject", 5, "fold"), (None, 32, "fold")],
)
def test_the_split_alone_chooses_the_test(within, n_subjects, unit):
    result = SimpleNamespace(
        provenance={"split": {"within": within}},
        assessment=SimpleNamespace(metrics={"n_subjects": n_subjects}),
    )
    assert deciding_unit(result) == unit


def test_wilcoxon_decides_only_where_it_could_reject_after_holm():
    provenance = {"split": {"within": "subject"}}
    for n_subjects, n_pairs, unit in ((6, 1, "subject"), (6, 3, "fold"), (7, 3, "subject")):
        assessment = SimpleNamespace(metrics={"n_subjects": n_subjects})
        result = SimpleNamespace(provenance=provenance, assessment=assessment)
        assert deciding_unit(result, n_pairs) == unit
        assert (2.0 ** (1 - n_subjects) * n_pairs <= 0.05) == (unit == "subject")


def test_other_differences_than_the_model_are_named():
    common = {"name": "a", "model": {"name": "cnn_lstm"}, "training": {"epochs": 8}, "seed": 0}
    other = {"name": "b", "model": {"name": "cnn_gru"}, "training": {"epochs": 50}, "seed": 0}
    results = [SimpleNamespace(settings=settings) for settings in (common, other)]
    found = other_settings(dict(zip("ab", results, strict=True)))
    assert found == ["training.epochs (8, 50)"]


def test_an_option_that_a_result_is_too_old_for_has_its_default():
    early = {"data": {"source": "bids"}, "labels": {"task": "valence"}, "seed": 0}
    late = {
        "data": {"source": "bids", "sessions": "all", "times": "milliseconds"},
        "labels": {"task": "valence", "valence": "valence", "arousal": "Aro"},
        "seed": 0,
    }
    results = [SimpleNamespace(settings=settings) for settings in (early, late)]
    found = other_settings(dict(zip("ab", results, strict=True)))
    assert found == ["labels.arousal (arousal, Aro)", "data.times (seconds, milliseconds)"]
    foreign = SimpleNamespace(settings={"data": {"source": "mine:Set", "part": 1}, "seed": 1})
    found = other_settings({"a": foreign, "b": foreign})
    assert found == []


def test_the_share_of_the_test_part_counts_trials():
    windows = {"train": 100, "validation": 0, "test": 900}
    trials = {"train": {"a": 5, "b": 3}, "validation": {"a": 1, "b": 1}, "test": {"a": 1, "b": 4}}
    folds = [{"n_windows": windows, "trials": trials}]
    assert share_of_test(folds) == 5 / 10
    assert share_of_test([{"n_windows": windows}]) == 9
