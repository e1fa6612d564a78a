"""What is recorded: experiment files, variations of them, and runs."""

import os
from contextlib import contextmanager
from pathlib import Path

import yaml

from eegemo import load_experiment, parse_experiment

GOLDEN = Path(__file__).parent
REPOSITORY = GOLDEN.parents[1]
EXPERIMENTS = REPOSITORY / "experiments"

_BASES = {
    "deap": "name: a\ndata: {source: deap, root: data/deap}\nmodel: {name: cnn_lstm}\n",
    "bids": "name: a\ndata: {source: bids, root: data/bids}\nmodel: {name: cnn_gru}\n",
    "files": "name: a\ndata: {source: files, root: data/files}\nmodel: {name: cnn_gru}\n",
    "simulated": "name: a\ndata: {source: simulated}\nmodel: {name: band_power_logreg}\n",
}
_SEVERAL = "split.method=stratified_group_ratio"
#: Base and overrides; together they change every option of every section.
_VARIATIONS = [
    ("deap",),
    ("deap", "data.variant=matlab", "data.root=elsewhere"),
    ("deap", "data.variant=bdf", "data.channels=emotiv"),
    ("deap", "data.subjects=[1, s02]", "data.channels=[Fz, Cz]"),
    ("deap", "data.exclude=[s05, s01_trial-3]"),
    ("bids", "data.sessions=[1]", "data.runs=[1, 2]", "data.acquisition=clean"),
    ("bids", "data.processing=n/a", "data.exclude=[sub-03]"),
    ("bids",),
    ("bids", "data.task=emotion", "data.subjects=['01']", "data.channels=[Oz]"),
    ("bids", "data.trials=fixed", "data.length=10.0"),
    ("bids", "data.tmin=-0.5", "data.tmax=4.0", "data.trial_types=[low, high]"),
    ("bids", "data.times=milliseconds"),
    ("simulated",),
    ("simulated", "data.root=elsewhere", "data.variant=bdf", "data.subjects=[s01]"),
    ("simulated", "data.n_subjects=3", "data.n_trials=12", "data.duration=5.5"),
    ("simulated", "data.effect=0.0", "data.fingerprint=1.5", "data.seed=7", "data.channels=emotiv"),
    ("simulated", "data.exclude=[s02]"),
    ("deap", "name=b.c-d_e", "seed=17"),
    ("deap", "preprocessing.sfreq=64.0", "preprocessing.notch=50.0"),
    ("deap", "preprocessing.notch=[50.0, 100.0]", "preprocessing.bads=interpolate"),
    ("deap", "preprocessing.l_freq=4.0", "preprocessing.h_freq=45.0"),
    ("deap", "preprocessing.eog=regression", "preprocessing.eog_channels=[hEOG]"),
    ("deap", "preprocessing.eog=ica", "preprocessing.reference=average"),
    ("deap", "preprocessing.baseline=[-3.0, 0.0]", "preprocessing.reject=0.0001"),
    ("deap", "preprocessing.montage=standard_1005"),
    ("deap", "data.copies=keep", "split.group=run"),
    ("bids", "data.copies=keep"),
    ("simulated", "data.copies=keep"),
    ("files",),
    ("files", "data.root=elsewhere", "data.table=mine.tsv", "data.subjects=[anna]"),
    ("files", "data.channels=[Cz]", "data.events=stim", "data.stim_channel=STI"),
    ("files", "data.trial_types=[a, b]", "data.tmin=-1.0", "data.tmax=2.0"),
    ("files", "data.trials=fixed", "data.length=10.0", "data.exclude=[sub-ben]"),
    ("files", "data.copies=keep"),
    ("deap", "preprocessing.breaks=drop_trial"),
    ("deap", "labels.task=valence", "labels.ties=high"),
    ("deap", "labels.task=arousal", "labels.ties=drop", "labels.threshold=median"),
    ("deap", "labels.threshold=4.5", "labels.ambiguous_band=0.5"),
    ("bids", "labels.task=given", "labels.classes=[sad, happy]"),
    ("bids", "labels.column=emotion", "labels.rename={good: [joy, awe], bad: fear}"),
    ("deap", "labels.valence=Val", "labels.arousal=Aro", "labels.scale=[0, 100]"),
    ("deap", "labels.table=tests/golden/ratings.csv"),
    ("deap", "windows={duration: 4, stride: 0.5}"),
    ("deap", "scaling={steps: [zscore], fit: subject}"),
    ("deap", "scaling={steps: [minmax, zscore], fit: trial}"),
    ("deap", "scaling={steps: [], fit: window}"),
    ("deap", "split.group=subject", "split.method=leave_one_group_out"),
    ("deap", "split.group=stimulus", "split.n_splits=3", "split.validation=0.1"),
    ("deap", "split.group=session", "split.within=subject"),
    ("deap", _SEVERAL, "split.ratios=[0.7, 0.1, 0.2]"),
    ("deap", "split.group=window", "split.allow_leakage=true"),
    ("deap", "split.group=segment", "split.allow_leakage=true", "split.within=subject"),
    ("deap", "model.name=cnn_gru", "model.filters=[8]", "model.kernel_size=3"),
    ("deap", "model.pool_size=4", "model.units=32", "model.dense=[]", "model.dropout=0.0"),
    ("simulated", "model.bands=[[1, 4], [4.0, 8.0]]", "model.C=0.1", "model.max_iter=50"),
    ("deap", "training.epochs=3", "training.batch_size=8", "training.learning_rate=0.01"),
    ("deap", "training.schedule=cosine", "training.class_weight=none", "training.clip_norm=null"),
    ("deap", "training.schedule=plateau", "training.patience=2", "training.clip_norm=0.5"),
    ("deap", "training.precision=mixed_float16"),
    ("deap", "training.precision=mixed_bfloat16"),
    ("deap", "significance.refits=19"),
    ("deap", "repeats=3", "shuffle_labels=0"),
    ("deap", "choice={grid: {model.units: [8, 16], training.learning_rate: [0.001, 0.01]}}"),
    ("deap", "choice={settings: [{model.units: 8}, {training.epochs: 2}], metric: loss}"),
    (
        "simulated",
        "choice={grid: {model.C: [0.1, 1.0]}, metric: balanced_accuracy}",
        "shuffle_labels=5",
    ),
]


def experiment_files():
    """The files users begin with."""
    return sorted(EXPERIMENTS.rglob("*.yaml"))


def experiments():
    """Name -> experiment: all files, and all variations."""
    found = {
        file.relative_to(REPOSITORY).as_posix(): load_experiment(file)
        for file in experiment_files()
    }
    for base, *overrides in _VARIATIONS:
        text = _BASES[base]
        found[" ".join([base, *overrides])] = parse_experiment(text, overrides=overrides)
    return found


# --- runs -----------------------------------------------------------------------------------------

_TINY = {
    "name": "tiny",
    "data": {
        "source": "simulated",
        "root": "data",
        "n_subjects": 2,
        "n_trials": 12,
        "duration": 3.0,
        "effect": 1.6,
    },
    "preprocessing": {"baseline": [-3.0, 0.0]},
    "windows": {"duration": 1.0, "stride": 1.0},
    "split": {"n_splits": 3},
    "model": {"name": "cnn_gru", "filters": [4], "units": 4, "dense": [], "dropout": 0.1},
    "training": {"epochs": 2, "batch_size": 16},
}
_BAND_POWER = "model={name: band_power_logreg}"

#: Runs whose tables are kept.
RUNS = {
    "cnn_lstm": ("model.name=cnn_lstm",),
    "cnn_gru": (
        "choice={grid: {training.learning_rate: [0.001, 0.01]}}",
        "scaling={steps: [zscore], fit: subject}",
    ),
    "band_power": (_BAND_POWER,),
    "subject": (
        _BAND_POWER,
        "scaling.fit=subject",
        "split={group: subject, n_splits: 2, validation: 0}",
    ),
    "segment": (
        _BAND_POWER,
        "windows={duration: 0.25, stride: 0.125}",
        "split.group=segment",
        "split.allow_leakage=true",
    ),
    "within": (_BAND_POWER, "split.within=subject", "repeats=2", "shuffle_labels=3"),
    "choice": (_BAND_POWER, "choice={grid: {model.C: [0.01, 1.0]}, metric: balanced_accuracy}"),
}
NETWORKS = ("cnn_lstm", "cnn_gru")
#: Results that are kept whole, of the same folds. With this seed and rate the first epoch of the
#: network's first fold is its best, so going on from there needs the weights kept until then.
KEPT = {
    "cnn_gru": ("seed=2", "split.n_splits=2", "training.learning_rate=0.01"),
    "band_power": ("seed=2", "split.n_splits=2", _BAND_POWER),
}


def make_experiment(*overrides, name="tiny"):
    """An experiment on data so small that a network is compiled longer than trained."""
    return parse_experiment(yaml.safe_dump(_TINY | {"name": name}), overrides=overrides)


def kept_experiment(name):
    """The experiment of a result that is kept."""
    return make_experiment(*KEPT[name], name=name)


def recording():
    """Where the data of these experiments has its first recording, from the working folder."""
    (found,) = Path("data").glob("*/data_preprocessed_python/s01.dat")
    return found


@contextmanager
def working_in(folder):
    """Make a folder the working folder, since experiments name their data from there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield Path(folder)
    finally:
        os.chdir(before)
