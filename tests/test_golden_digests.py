"""Digests and texts of experiments, names of stored files: the same for ever, on any machine."""

import pytest

from golden.cases import (
    REPOSITORY,
    RUNS,
    experiment_files,
    experiments,
    make_experiment,
    working_in,
)
from golden.inside import run
from golden.machine import GOLDEN, differences
from golden.records import (
    RUNS_FILE,
    describe_settings,
    describe_store,
    read_json,
    shorten,
    unpack,
)
from golden.texts import loaded

SETTINGS = read_json(GOLDEN / "settings.json")


def test_every_file_and_many_variations_are_kept():
    assert set(SETTINGS) == set(experiments())
    files = {file.relative_to(REPOSITORY).as_posix() for file in experiment_files()}
    assert files <= set(SETTINGS)
    assert len(files) >= 17
    assert len(SETTINGS) - len(files) >= 40


def test_every_option_is_changed_at_least_once():
    """An option that is added later needs a variation that changes it."""
    values = {}
    for experiment in experiments().values():
        content = experiment.model_dump(mode="json")
        for section, value in content.items():
            kind = value.get("source", value.get("name")) if isinstance(value, dict) else None
            options = value.items() if isinstance(value, dict) else [("", value)]
            if section == "model":
                kind = "logreg" if "bands" in value else "network"
            for option, chosen in options:
                values.setdefault((section, kind, option), set()).add(str(chosen))
            if section == "choice":  # there or not there
                values.setdefault((section, None, ""), set()).add(str(value))
    unchanged = [place for place, seen in values.items() if len(seen) < 2]
    # these name the kind of their section
    named = [("data", kind, "source") for kind in ("deap", "bids", "files", "simulated")]
    assert sorted(unchanged) == sorted([*named, ("model", "logreg", "name")])


@pytest.fixture(scope="module")
def found():
    return shorten({name: describe_settings(one) for name, one in experiments().items()})


@pytest.mark.parametrize("name", SETTINGS)
def test_digests_and_text_of_an_experiment(found, name):
    assert found[name] == SETTINGS[name]


def test_the_digest_counts_each_option_but_name_and_place_of_the_data():
    refits = "deap significance.refits=19"  # changes no prediction
    assert SETTINGS[refits]["settings"] == SETTINGS["deap"]["settings"]
    names = [name for name in SETTINGS if "/" not in name and name != refits]
    digests = [SETTINGS[name]["settings"] for name in names]
    assert len(set(digests)) == len(digests)
    first = make_experiment()
    alike = make_experiment("data.root=elsewhere", name="other")
    other = make_experiment("seed=1")
    digest = describe_settings(first)["settings"]
    assert describe_settings(alike)["settings"] == digest
    assert describe_settings(other)["settings"] != digest


def test_names_of_stored_trials_and_features_and_digests_of_a_result(tmp_path):
    keys = read_json(GOLDEN / "keys.json")
    names = [name for name in RUNS if name in ("band_power", "segment")]
    kept = unpack(RUNS_FILE, tmp_path / "kept")
    with working_in(tmp_path):
        results = run([make_experiment(*RUNS[name]) for name in names], "results")
        provenance = [read_json(folder / "provenance.json") for folder in results]
    found = describe_store(tmp_path)
    assert found["data"] == keys["data"]
    if found["files"] != keys["files"]:
        different = differences()
        assert different, "the simulation gives other files than it did on this machine"
        pytest.skip(f"the simulation rounds differently here: {different}")
    assert found["trials"] == keys["trials"]
    assert set(found["features"]) <= set(keys["features"])
    assert len(found["features"]) == len(names)
    for name, folder, record in zip(names, results, provenance, strict=True):
        golden = read_json(kept[name] / "record.json")
        assert record["digests"] == golden["provenance"]["digests"]
        assert folder.name == golden["name"]


def test_light_uses_load_no_more_than_they_did():
    bound = read_json(GOLDEN / "lightness.json")
    found = loaded(experiment_files())
    assert set(found) == set(bound)
    for use, packages in found.items():
        assert set(packages) <= set(bound[use]), use
