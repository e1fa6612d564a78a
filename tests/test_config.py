"""The experiment file: what it accepts, and how it refuses."""

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eegemo.config import Experiment, find_experiments, load_experiment, parse_experiment
from eegemo.errors import ConfigError

BASE = """\
name: a
data: {source: deap, root: data/deap}
model: {name: cnn_lstm}
"""

DESIGN = """\
name: deap-cnn-lstm
seed: 0
data:          {source: deap, root: data/deap, variant: python, subjects: all, channels: eeg}
preprocessing: {sfreq: 128.0, l_freq: 4.0, h_freq: 45.0, eog: none, reference: average, \
baseline: [0.0, 3.0]}
labels:        {task: quadrant, threshold: 5.0, ties: low}
windows:       {duration: 2.0, stride: 1.0}
scaling:       {steps: [zscore, minmax], fit: training}
split:         {method: stratified_group_k_fold, group: trial, within: subject, n_splits: 5}
model:         {name: cnn_lstm, filters: [64, 128], kernel_size: 5, units: 64, dropout: 0.5}
training:      {epochs: 50, batch_size: 64, learning_rate: 0.001, patience: 8}
"""


def complaint(text, **options):
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, source="a.yaml", **options)
    return str(caught.value)


# --- what is accepted ----------------------------------------------------------------------------


def test_the_experiment_of_the_design_reads():
    experiment = parse_experiment(DESIGN)
    for section, values in yaml.safe_load(DESIGN).items():
        read = getattr(experiment, section)
        if isinstance(values, dict):
            for key, value in values.items():
                assert getattr(read, key) == value, (section, key)
        else:
            assert read == values


@pytest.mark.parametrize("text", [BASE, DESIGN])
def test_what_is_written_reads_back_the_same(text):
    experiment = parse_experiment(text)
    assert parse_experiment(experiment.to_yaml()) == experiment


def test_what_is_written_is_complete():
    written = yaml.safe_load(parse_experiment(BASE).to_yaml())
    assert list(written) == list(Experiment.model_fields)
    for name, section in written.items():
        if isinstance(section, dict):
            kind = type(getattr(parse_experiment(BASE), name))
            assert list(section) == list(kind.model_fields)


awkward = st.sampled_from(
    [
        "1e-3",
        "0x10",
        "010",
        "1:30",
        "null",
        "yes",
        "~",
        "2020-01-01",
        ".inf",
        "a: b",
        "#c",
        "é",
        "=",
        "<<",
    ]
)
# without U+0085, a line break of mainframes: PyYAML writes it as it is and reads a line feed
texts = awkward | st.text(
    st.characters(codec="utf-8", exclude_characters="\x85"), min_size=1, max_size=8
)
numbers = st.floats(1e-9, 1e9)


@given(
    root=texts,
    subjects=st.just("all") | st.lists(texts | st.integers(0, 99), min_size=1, max_size=3),
    channels=st.sampled_from(["eeg", "emotiv"]) | st.lists(texts, min_size=1, max_size=3),
    rate=numbers,
    threshold=st.just("median") | st.floats(-9, 9),
    filters=st.lists(st.integers(1, 512), min_size=1, max_size=3),
)
def test_any_experiment_reads_back_as_it_was_written(
    root, subjects, channels, rate, threshold, filters
):
    content = {
        "name": "a",
        "data": {"source": "deap", "root": root, "subjects": subjects, "channels": channels},
        "labels": {"threshold": threshold},
        "model": {"name": "cnn_gru", "filters": filters},
        "training": {"learning_rate": rate},
    }
    experiment = Experiment.model_validate(content)
    assert parse_experiment(experiment.to_yaml()) == experiment


@pytest.mark.parametrize(
    "text", ["\ufeff" + BASE, BASE.replace("\n", "\r\n"), "# hm\n---\n" + BASE]
)
def test_editors_marks_are_no_matter(text, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    assert load_experiment(path) == parse_experiment(BASE)


def test_a_whole_number_is_a_number():
    experiment = parse_experiment(BASE + "windows: {duration: 2, stride: 1}\n")
    assert experiment == parse_experiment(BASE)


# --- what is refused -----------------------------------------------------------------------------

WRONG = [
    # (lines after BASE, line that is named, what the message says)
    ("sed: 4", 4, "sed: there is no such key; did you mean 'seed'?"),
    ("splitt: {}", 4, "did you mean 'split'?"),
    ("training:\n  epochz: 3", 5, "training.epochz: there is no such key; did you mean 'epochs'?"),
    ("training: {zzz: 3}", 4, "training.zzz: there is no such key; there are epochs, batch_size"),
    ("seed: 1\nseed: 2", 5, "the key 'seed' occurs twice, first in line 4"),
    ("labels:\n  ties: low\n  ties: high", 6, "the key 'ties' occurs twice, first in line 5"),
    (
        "training:\n  learning_rate: 1e-3",
        5,
        "training.learning_rate: expected a number, found the text '1e-3' (in YAML a number in "
        "quotes, or with an exponent but no point, is text); write 0.001.",
    ),
    ("training: {epochs: '50'}", 4, "expected a whole number, found the text '50'"),
    ("training: {epochs: 2.5}", 4, "training.epochs: expected a whole number, found 2.5."),
    ("training: {epochs: true}", 4, "training.epochs: expected a whole number, found True."),
    ("training: {epochs: 0}", 4, "training.epochs: expected a value greater than or equal to 1"),
    ("training: {epochs: nan}", 4, "expected a whole number, found the text 'nan'."),
    ("training: {epochs: 1e999}", 4, "expected a whole number, found the text '1e999'."),
    ("training: {epochs: '1.7'}", 4, "expected a whole number, found the text '1.7'."),
    ("training: {learning_rate: .nan}", 4, "learning_rate: expected a finite number, found nan."),
    ("windows: {duration: .inf}", 4, "windows.duration: expected a finite number, found inf."),
    ("preprocessing: {baseline: [.nan, 0]}", 4, "baseline.0: expected a finite number, found nan."),
    ("preprocessing: {baseline: [0.0]}", 4, "baseline: expected a list of at least 2, found the l"),
    ("labels: {ties: lo}", 4, "expected 'low', 'high' or 'drop', found the text 'lo'; did you mea"),
    ("labels: {threshold: mean}", 4, "expected a number or 'median', found the text 'mean'; did"),
    ("labels: {ties: }", 4, "labels.ties: expected 'low', 'high' or 'drop', found nothing."),
    ("scaling: {steps: zscore}", 4, "scaling.steps: expected a list, found the text 'zscore'."),
    ("scaling:\n  steps:\n  - zscore\n  - minmx", 7, "steps.1: expected 'zscore' or 'minmax'"),
    ("split: {n_splits: 1}", 4, "split.n_splits: expected a value greater than or equal to 2, fou"),
    ("split: {group: window}", 4, "allow_leakage: true"),
    ("split: {within: subject, group: subject}", 4, "a single subject, which cannot be held out"),
    ("split: {ratios: [0.5, 0.5, 0.5]}", 4, "must add up to 1"),
    ("split: {allow_leakage: 'yes'}", 4, "expected true or false, found the text 'yes'."),
    ("windows: 3", 4, "windows: expected a section of keys, found 3."),
    ("windows:", 4, "windows: expected a section of keys, found nothing."),
    ("windows: []", 4, "windows: expected a section of keys, found the list []."),
    ("windows: {duration: 1:30}", 4, "1:30 means 90 in YAML"),
    ("seed: 010", 4, "010 means 8 in YAML"),
    ("seed: 0x10", 4, "0x10 means 16 in YAML"),
    ("a: &x [1]\nb: *x", 5, "aliases (*name) are not allowed"),
    ("windows: {<<: {duration: 3}}", 4, "tag:yaml.org,2002:merge"),
    ("windows: !!python/object/apply:os.getcwd []", 4, "tags (tag:yaml.org,2002:python/object/app"),
    ("training: {learning_rate: !!float '1e-3'}", 4, "tags (tag:yaml.org,2002:float) are not"),
    ("seed: !x 3", 4, "tags (!x) are not allowed"),
    ("3: 4", 4, "keys must be words; found 3"),
    ("on: 4", 4, "keys must be words; found True"),
    ("? [a, b]\n: 4", 4, "keys must be words; found ['a', 'b']"),
    ("seed: [", 5, "expected"),
    ("\tseed: 3", 4, "'\\t'"),
    ("---\nname: b", 4, "another document"),
    # keys that are also words of the program that checks them
    ("int: 3", 4, "int: there is no such key"),
    ("labels: {str: 3}", 4, "labels.str: there is no such key"),
    ("labels: {'a[b]': 3}", 4, "labels.a[b]: there is no such key"),
]


@pytest.mark.parametrize(("lines", "number", "message"), WRONG, ids=[case[0] for case in WRONG])
def test_a_mistake_is_named_with_its_line_and_what_was_expected(lines, number, message):
    said = complaint(BASE + lines + "\n")
    assert said.startswith(f"a.yaml, line {number}: ")
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE.replace("root", "roots"), "line 2: data.root: this key is missing."),
        (
            BASE.replace("root", "roots"),
            "line 2: data.roots: there is no such key; did you mean 'r",
        ),
        (BASE.replace("source: deap", "deap: 1, source: deap"), "line 2: data.deap: there is no"),
        (
            BASE.replace("source: deap", "source: daep"),
            "line 2: data.source: expected 'deap', 'bids', 'simulated', 'dreamer', 'memory' or "
            "'files', found the text 'daep'; did you mean 'deap'?",
        ),
        (
            BASE.replace("source: deap, ", ""),
            "line 2: data.source: this key is missing; expected 'deap', 'bids', 'simulated', "
            "'dreamer', 'memory' or 'files'.",
        ),
        (BASE.replace("source: deap", "source: 3"), "line 2: data.source: expected 'deap', 'bids'"),
        (BASE.replace("source: deap", "source: 3"), "found 3."),
        (BASE.replace("{source: deap, root: data/deap}", "3"), "line 2: data: expected a section"),
        (BASE.replace("data: {source: deap, root: data/deap}\n", ""), "data: this key is missing."),
        (BASE.replace("{name: cnn_lstm}", "x"), "line 3: model: expected a section of keys, found"),
        (
            BASE.replace("name: cnn_lstm", "units: 3"),
            "line 3: model.name: this key is missing; exp",
        ),
        (
            BASE.replace("cnn_lstm", "band_power_logreg, units: 3"),
            "there are name, bands, C, max_i",
        ),
        (BASE.replace("cnn_lstm", "band_power_logreg, band: 3"), "did you mean 'bands'?"),
        (
            BASE.replace("cnn_lstm", "cnn-lstm"),
            "line 3: model.name: expected 'cnn_lstm', 'cnn_gru', 'eegnet' or 'ba",
        ),
        (BASE.replace("cnn_lstm", "cnn-lstm"), "did you mean 'cnn_lstm'?"),
        (BASE.replace("name: a", "name: a/b"), "line 1: name: letters, digits"),
        (BASE.replace("name: a", "name: ../a"), "line 1: name: letters, digits"),
        (BASE.replace("name: a", 'name: "a\\n"'), "line 1: name: letters, digits"),
        (BASE.replace("name: a", "name: 3"), "line 1: name: expected a text, found 3."),
        (BASE.replace("name: a\n", ""), "name: this key is missing."),
        (
            BASE.replace("data/deap", "data/deap, subjects: s01"),
            "line 2: data.subjects: expected 'a",
        ),
        (BASE.replace("data/deap", "x, subjects: [010]"), "line 2: 010 means 8 in YAML"),
        (
            BASE.replace("data/deap", "x, subjects: [1.5]"),
            "line 2: data.subjects.0: expected a text",
        ),
        (BASE.replace("data/deap", "x, subjects: []"), "line 2: data.subjects: expected"),
        ("", "expected an experiment (name, data, model, ...), found nothing."),
        ("- a", "expected an experiment (name, data, model, ...), found the list ['a']."),
        ("just words", "found the text 'just words'."),
        ("name: \0", "not readable as YAML"),
        ("[" * 5000, "too deeply nested"),
        ("{a: " * 5000, "too deeply nested"),
        ("seed: " + "9" * 5000, "a.yaml"),
        ("name: 2020-99-99", "a.yaml"),
    ],
)
def test_other_mistakes_are_named_too(text, message):
    assert message in complaint(text)


@pytest.mark.parametrize("value", ["subjects: [a, 1.5]", "channels: [Fz, 3]", "channels: []"])
def test_a_value_with_alternatives_gets_one_complaint(value):
    """The one of the alternative that got furthest, not that it is not "all" as well."""
    said = complaint(BASE.replace("root:", value + ", root:"))
    assert said.startswith(f"a.yaml, line 2: data.{value.partition(':')[0]}")
    assert "\n" not in said


def test_every_mistake_is_named_at_once():
    said = complaint(BASE + "seed: x\nwindows: {duration: -1, strid: 2}\n")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "a.yaml, line 4",
        "a.yaml, line 5",
        "a.yaml, line 5",
    ]


def test_every_mistake_is_named_beside_a_name_that_is_not_known():
    text = BASE.replace("cnn_lstm", "cnn_lsmt").replace("deap,", "daep,") + "seed: x\n"
    places = [line.split(": ")[1] for line in complaint(text).splitlines()]
    assert sorted(places) == ["data.source", "model.name", "seed"]


def test_a_tag_runs_nothing(tmp_path):
    victim = tmp_path / "victim"
    complaint(BASE + f"seed: !!python/object/apply:pathlib.Path.touch [{victim}]\n")
    assert not victim.exists()


def test_files_that_are_no_text_are_refused_by_name(tmp_path):
    path = tmp_path / "a.yaml"
    with pytest.raises(ConfigError, match=r"a\.yaml: there is no such experiment file"):
        load_experiment(path)
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.yaml: cannot be read as text"):
        load_experiment(path)
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_experiment(tmp_path)


yaml_like = st.text(st.sampled_from("abn:,-[]{}&*!?|>'\"%@#=<.~ \n\t0195ex\\/"), max_size=60)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
keys = st.sampled_from([*Experiment.model_fields, "int", "deap", "source", "epochs"]) | texts
contents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
)


def parses_or_complains(text, **options):
    """Anything but a ConfigError fails the test that calls this."""
    with suppress(ConfigError):
        parse_experiment(text, **options)


@given(st.text(max_size=60) | yaml_like | yaml_like.map(lambda text: BASE + text))
def test_random_text_is_read_or_refused_and_nothing_else(text):
    parses_or_complains(text)


@given(st.dictionaries(keys, contents, max_size=6))
def test_random_structures_are_read_or_refused_and_nothing_else(content):
    parses_or_complains(yaml.safe_dump(content))
    parses_or_complains(BASE + "\n".join(yaml.safe_dump({k: v}) for k, v in content.items()))


@given(st.data())
def test_random_values_of_known_keys_are_read_or_refused_and_nothing_else(data):
    content = yaml.safe_load(parse_experiment(BASE).to_yaml())
    section = data.draw(st.sampled_from(list(content)))
    if isinstance(content[section], dict):
        content[section][data.draw(st.sampled_from(list(content[section])))] = data.draw(contents)
    else:
        content[section] = data.draw(contents)
    parses_or_complains(yaml.safe_dump(content))


@given(st.binary(max_size=60))
def test_random_bytes_are_read_or_refused_and_nothing_else(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_experiment(path)


# --- single values from the command line ---------------------------------------------------------


def test_overrides_change_single_values():
    changes = ["training.epochs=2", "data.root=here", "labels.threshold=median", "seed=3"]
    experiment = parse_experiment(BASE, overrides=changes)
    assert experiment.training.epochs == 2
    assert experiment.data.root == "here"
    assert experiment.labels.threshold == "median"
    assert experiment.seed == 3
    assert parse_experiment(BASE, overrides=["model.filters=[8, 16]"]).model.filters == [8, 16]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("training..epochs=3", "expected section.key=value"),
        ("name.epochs=3", "name is not a section"),
        ("training.epochs=[", "not readable as YAML"),
        ("training.epochs=2020-99-99", "not readable as YAML"),
        ("training.epochs=" + "[" * 5000, "not readable as YAML"),
        ("training.epochs=*x", "not readable as YAML"),
        ("training.epochs=1e1", "training.epochs: expected a whole number, found the text '1e1'"),
        ("traiming.epochs=3", "traiming: there is no such key; did you mean 'training'?"),
        ("training.epochz=3", "training.epochz: there is no such key; did you mean 'epochs'?"),
    ],
)
def test_wrong_overrides_are_refused(override, message):
    assert message in complaint(BASE, overrides=[override])


@given(st.text(max_size=20) | yaml_like, yaml_like)
def test_random_overrides_are_taken_or_refused_and_nothing_else(key, value):
    parses_or_complains(BASE, overrides=[f"{key}={value}", key])


# --- folders of experiments ----------------------------------------------------------------------


def test_folders_expand_to_their_files_in_order(tmp_path):
    for name in ("b.yaml", "a.yml", "notes.txt", "deep/c.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_experiments([tmp_path, tmp_path / "deep" / "c.yaml", tmp_path / "b.yaml"])
    assert [path.name for path in found] == ["a.yml", "b.yaml", "c.yaml"]


def test_folders_without_experiments_say_where_some_are(tmp_path):
    (tmp_path / "deep").mkdir()
    with pytest.raises(ConfigError, match=r"no experiment file \(.yaml\) here.$"):
        find_experiments([tmp_path])
    (tmp_path / "deep" / "c.yaml").touch()
    with pytest.raises(ConfigError, match=r"There are some in .*deep"):
        find_experiments([tmp_path])
    with pytest.raises(ConfigError, match="no such experiment file or folder"):
        find_experiments([tmp_path / "nowhere"])
