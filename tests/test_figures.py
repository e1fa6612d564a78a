import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from eegemo.evaluation.calibration import reliability_table, selective_accuracy
from eegemo.pages import figures
from eegemo.pages.figures.style import class_colours, shorten

CLASSES = ["HVHA", "HVLA", "LVHA", "LVLA"]
NASTY = ["<script>alert(1)</script>", "a$b$c_{", "情緒", "a very long name of a class indeed"]


def history(epochs=6, seed=0):
    rng = np.random.default_rng(seed)
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    return pd.DataFrame(rng.random((epochs, 4)), columns=columns).assign(
        epoch=np.arange(1, epochs + 1)
    )


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def draw_all(classes, n):
    rng = np.random.default_rng(0)
    k = len(classes)
    matrix = rng.integers(0, 9, size=(k, k))
    matrix[0] = 0  # a class that never occurs
    names = [f"s{i:02d}/{i}" for i in range(n)]
    scores, others = rng.random((2, n))
    scores[0] = np.nan
    histories = [history(3 + i % 5, i) for i in range(n)]
    per_class = {c: {"precision": None, "recall": 0.5, "f1": 0.3} for c in classes}
    levels = {"windows": per_class, "trials": per_class}
    yield figures.confusion_matrices({"Windows": matrix, "Trials": matrix}, classes)
    yield figures.confusion_differences(
        {"Windows": matrix / 9 - np.nan_to_num(np.inf, posinf=0.5)},
        classes,
        first=classes[0],
        second=classes[1],
    )
    yield figures.fold_confusions([matrix] * n, names, classes)
    yield figures.learning_curves(histories, [len(h) for h in histories])
    yield figures.learning_curves_together({"A": histories, classes[0]: histories[:1]})
    yield figures.score_dots(
        names, scores, unit="fold", total=0.4,
        nulls=np.c_[scores - 0.2, scores - 0.1, scores + 0.1],
    )  # fmt: skip
    yield figures.paired_scores(names, {classes[0]: scores, "B": others}, unit="fold")
    yield figures.paired_scores(names, {"A": scores, "B": others, "C": others}, unit="fold")
    yield figures.null_distributions({"Windows": (0.4, others), "Trials": (0.9, others)})
    yield figures.class_scores(levels, classes)
    table = reliability_table(others, others > 0.4, n_bins=6)
    bins = table.assign(accuracy_low=0.1, accuracy_high=0.9).to_dict("records")
    yield figures.reliability_diagram({classes[0]: bins, "After": bins}, chance=1 / k)
    curve = selective_accuracy(others, others > 0.4).assign(low=0.1, high=0.9).to_dict("records")
    yield figures.coverage_curves(
        {"Windows": {"as predicted": curve, "after": curve}, "Votes": {"as predicted": curve}},
        chance=1 / k,
        majority={"Windows": 0.4, "Votes": None},
    )
    values = {"windows": scores, "trials": others, "majority": 0.5 * others}
    yield figures.subject_scores(
        names, {"balanced accuracy": values, "accuracy": values | {"hindsight": others}},
        nulls=np.c_[scores - 0.2, scores - 0.1, scores + 0.1], decodable=others > 0.5,
    )  # fmt: skip
    yield figures.score_spread(
        {"folds": scores, "subjects": others, "repeats": [0.5]},
        {key: {"mean": 0.5, "sd": None} for key in ("folds", "subjects", "repeats")},
        total=0.4,
        label="accuracy",
    )
    yield figures.class_counts({name: dict.fromkeys(classes, 3) for name in names}, classes)


@pytest.mark.parametrize(
    ("classes", "n"),
    [(CLASSES, 1), (CLASSES, 5), (NASTY, 5), ([f"c{i}" for i in range(14)], 5), (CLASSES, 160)],
)
def test_every_figure_draws(classes, n, tmp_path):
    """Warnings are errors here, so this also proves that layout and empty slices are sound."""
    size = 0
    for number, figure in enumerate(draw_all(classes, n)):
        assert isinstance(figure, Figure)
        svg = figures.to_svg(figure)
        ET.fromstring(svg)
        assert "DejaVu" not in svg
        assert "<script" not in svg
        size += len(svg)
        if number < 2:
            path = figures.save_figure(figure, tmp_path / f"{number}.png")
            assert path.read_bytes().startswith(b"\x89PNG")
    assert size < 2_000_000


def test_cells_show_share_and_count():
    figure = figures.confusion_matrices({"Windows": [[3, 1], [0, 4]]}, ["low", "high"])
    assert {"75%", "25%", "0%", "100%", "3", "1", "4", "Windows (n = 8)"} <= set(texts(figure))


def test_differences_are_in_percentage_points():
    figure = figures.confusion_differences(
        {"Windows": [[0.1, -0.1], [np.nan, np.nan]]}, ["a", "b"], first="A", second="B"
    )
    assert {"+10", "−10", "–", "percentage points: B minus A"} <= set(texts(figure))


def test_no_difference_has_no_sign_and_every_number_can_be_read():
    figure = figures.confusion_differences(
        {"Windows": [[-0.004, 0.004], [0.8, -0.8]]}, ["a", "b"], first="A", second="B"
    )
    numbers = {t.get_text(): t.get_color() for t in figure.axes[0].texts}
    assert set(numbers) == {"0", "+80", "−80"}
    assert numbers["+80"] == numbers["−80"] == "white"
    assert numbers["0"] != "white"


def test_marks_and_bars_use_the_same_percentile():
    figure = figures.score_dots(
        ["in", "out"], [0.5, 0.6], unit="fold", nulls=[[0.1, 0.3, 0.55]] * 2
    )
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["fold above 95 % of them"].get_xdata()) == [1]
    assert list(lines["fold not above"].get_xdata()) == [0]
    assert list(lines["their mean"].get_ydata()) == [0.3, 0.3]
    assert not [text for text in texts(figure) if "chance" in text]


def test_paired_dots_lie_side_by_side_and_close_up():
    figure = figures.paired_scores(["x", "y"], {"A": [0.8, 0.82], "B": [0.8, 0.83]}, unit="fold")
    first, second = figure.axes[0].lines[:2]
    assert np.all(np.asarray(first.get_xdata()) < np.asarray(second.get_xdata()))
    low, high = figure.axes[0].get_ylim()
    assert 0.7 < low < 0.8
    assert 0.83 < high < 0.93


def test_the_null_is_drawn_over_its_own_range():
    figure = figures.null_distributions({"Windows": (0.3, np.linspace(0.2, 0.28, 99))})
    low, high = figure.axes[0].get_xlim()
    assert 0.15 < low < 0.2
    assert 0.3 < high < 0.35


def test_few_folds_are_named_and_many_are_sorted():
    few = figures.score_dots(["one", "two"], [0.5, 0.1], unit="fold")
    assert {"one", "two"} <= set(texts(few))
    many = figures.score_dots([str(i) for i in range(99)], np.linspace(1, 0, 99), unit="fold")
    assert "99 folds, from low to high" in texts(many)
    drawn = many.axes[0].lines[0].get_ydata()
    assert np.all(np.diff(drawn) >= 0)


def test_best_epochs_are_marked():
    histories = [history(), history(seed=1)]
    figure = figures.learning_curves(histories, [2, 5])
    marks = next(line for line in figure.axes[0].lines if line.get_label() == "best epoch")
    assert list(marks.get_xdata()) == [2, 5]
    expected = [histories[0]["val_loss"][1], histories[1]["val_loss"][4]]
    np.testing.assert_array_equal(marks.get_ydata(), expected)


def test_paired_difference_is_second_minus_first():
    figure = figures.paired_scores(["x", "y"], {"A": [0.1, 0.2], "B": [0.4, 0.3]}, unit="fold")
    assert any("B minus A: mean +0.200" in text for text in texts(figure))


def test_drawing_is_deterministic_and_leaves_no_trace():
    def settings():  # asking for the backend would choose one
        return {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}

    before = settings()
    one, two = (
        figures.to_svg(figures.confusion_matrices({"W": [[1, 2], [3, 4]]}, ["a", "b"]))
        for _ in range(2)
    )
    assert one == two
    assert settings() == before
    with mpl.rc_context({"font.size": 40, "axes.facecolor": "red"}):
        assert (
            figures.to_svg(figures.confusion_matrices({"W": [[1, 2], [3, 4]]}, ["a", "b"])) == one
        )


def test_helpers():
    assert len(set(map(str, class_colours(8)))) == 8
    assert len(class_colours(20)) == 20
    assert shorten("short", 16) == "short"
    assert len(shorten("x" * 50, 16)) == 16


def test_a_reliability_diagram_shows_accuracy_over_confidence():
    rows = reliability_table([0.55, 0.65, 0.95, 0.95], [0, 1, 1, 1], n_bins=2).to_dict("records")
    figure = figures.reliability_diagram({"A": rows}, chance=0.5)
    top, bottom = figure.axes
    marks = top.collections[-1].get_offsets()
    np.testing.assert_allclose(marks, [[0.775, 0.75]])
    assert [bar.get_height() for bar in bottom.patches] == [0, 1]


def test_subjects_are_sorted_and_only_the_decodable_are_filled():
    values = {"windows": [0.6, 0.3], "trials": [0.7, 0.2], "majority": [0.25, 0.3]}
    figure = figures.subject_scores(
        ["good", "poor"], {"score": values}, nulls=[[0.2, 0.25, 0.3]] * 2, decodable=[True, False]
    )
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["poor", "good"]
    assert list(lines["windows, decodable"].get_ydata()) == [0.6]
    assert list(lines["windows, not shown to be"].get_xdata()) == [0]
    assert list(lines["trials"].get_ydata()) == [0.2, 0.7]
