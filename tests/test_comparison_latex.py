import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score

from eegemo.comparison import gather, latex_table
from eegemo.comparison.classes import draw_trials, resampled_scores
from eegemo.comparison.latex import escape
from eegemo.evaluation import predicted_classes
from eegemo.evaluation.statistics import count_trials
from eegemo.results import open_result
from fake_result import fake_result

NAMES = ("50% of_{all} & #1 $x$", 'A\\B ~ ^ <b> "q"\n2')


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Seven subjects with models of their own, and a difference that every one of them shows."""
    folder = tmp_path_factory.mktemp("latex")
    size = {"n_subjects": 7, "n_trials": 8, "n_windows": 2, "n_splits": 2}
    folders = [
        fake_result(folder / str(seed), effect=effect, seed=seed, **size)
        for seed, effect in enumerate((0.8, 6.0))
    ]
    return gather(dict(zip(NAMES, map(open_result, folders), strict=True)))


def check_structure(latex):
    """What a LaTeX compiler would stumble over first."""
    body = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\{}&%$#_]", "", body)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#_^~%]", re.sub(r"\$[^$]*\$", "", bare))
    assert body.replace("\n", "").isprintable()
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    for columns, rows in re.findall(
        r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", body, flags=re.S
    ):
        for row in rows.split(r"\\")[:-1]:
            cells = len(re.findall(r"(?<!\\)&", row)) + 1
            cells += sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert cells == len(columns), row
    assert body.count(r"\toprule") == body.count(r"\bottomrule") == body.count(r"\midrule")


def test_any_name_gives_a_table_that_compiles(comparison):
    latex = latex_table(comparison)
    check_structure(latex)
    assert r"50\% of\_\{all\} \& \#1 \$x\$" in latex
    assert r"A\textbackslash{}B \textasciitilde{} \textasciicircum{} \textless{}b" in latex


def test_the_caption_says_data_split_and_intervals(comparison):
    caption = re.search(r"\\caption\{(.*)\}\n", latex_table(comparison))[1]
    for words in (
        "DEAP (simulated data): 7 subjects, 56 trials",
        "Whole trials are held out",
        "intervals that resample subjects and their trials",
        "p: Wilcoxon signed-rank test over 7 subjects;",
        "Bold: better than every other by the test that decides.",
    ):
        assert words in caption


def test_bold_needs_a_test(comparison):
    assert comparison.best == NAMES[1]
    assert latex_table(comparison).count(r"\textbf") == 1
    level = comparison.first.assessment.levels["window"]
    low, high = level["significance"]["bootstrap"]["subjects"]
    score = level["total"]["balanced_accuracy"]
    assert f"{score:.3f} [{low:.2f}, {high:.2f}]" in latex_table(comparison)
    alike = gather({"A": comparison.first, "B": comparison.first})
    assert alike.best is None
    assert r"\textbf" not in latex_table(alike)
    assert "Bold" not in latex_table(alike)
    check_structure(latex_table(alike))


def test_escape_leaves_other_scripts_alone():
    assert escape("α 脳 é − ±") == r"α 脳 é $-$ $\pm$"


def test_resampled_class_scores_are_those_of_repeated_rows(comparison):
    """Recall and F1 of a resample, by scikit-learn on rows that are really repeated."""
    rows = comparison.first.predictions
    trials = count_trials(rows)
    weights = draw_trials(trials.subject, n_draws=3, seed=1)
    drawn = resampled_scores(trials, weights)
    # every subject keeps its number of trials
    by_subject = pd.DataFrame(weights.T).groupby(trials.subject).sum()
    assert (by_subject == 8).all(axis=None)
    number = rows.groupby(["subject", "session", "trial"], sort=True).ngroup().to_numpy()
    classes = comparison.first.classes
    for draw, times in enumerate(weights):
        repeated = rows.iloc[np.repeat(np.arange(len(rows)), times[number].astype(int))]
        true, answer = repeated["y_true"], predicted_classes(repeated)
        for score, function in (("recall", recall_score), ("f1", f1_score)):
            expected = function(true, answer, labels=classes, average=None, zero_division=np.nan)
            np.testing.assert_allclose(drawn[score][draw], expected)
