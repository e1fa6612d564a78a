"""Built-in names of every kind, and the locations of their objects."""

from eegemo.registry.registry import Registry

__all__ = [
    "ADAPTERS",
    "COMMANDS",
    "DATASETS",
    "EXPORTERS",
    "MODELS",
    "REGISTRIES",
    "SCALING",
    "SPLITS",
]

MODELS = Registry(
    "models",
    "model.name",
    {
        "cnn_lstm": "eegemo.models.cnn_rnn:cnn_lstm",
        "cnn_gru": "eegemo.models.cnn_rnn:cnn_gru",
        "eegnet": "eegemo.models.eegnet:eegnet",
        "band_power_logreg": "eegemo.models.band_power:build_band_power_logreg",
    },
)
#: Adapters from what a builder returns to `eegemo.models.base.Model`, by framework.
ADAPTERS = Registry(
    "adapters",
    "model",
    {
        "keras": "eegemo.models.keras.model:KerasModel",
        "torch": "eegemo.models.torch.model:TorchModel",
        "sklearn": "eegemo.models.estimator:EstimatorModel",
    },
)
DATASETS = Registry(
    "datasets",
    "data.source",
    {
        "deap": "eegemo.datasets.deap.dataset:Deap",
        "bids": "eegemo.datasets.bids.dataset:Bids",
        "simulated": "eegemo.simulation.dataset:Simulated",
        "dreamer": "eegemo.datasets.dreamer.dataset:Dreamer",
        "memory": "eegemo.datasets.memory:Memory",
        "files": "eegemo.datasets.files.dataset:Files",
    },
)
SPLITS = Registry(
    "splits",
    "split.method",
    dict.fromkeys(
        ("stratified_group_k_fold", "stratified_group_ratio", "leave_one_group_out"),
        "eegemo.splits.methods:make_folds",
    ),
)
SCALING = Registry(
    "scaling",
    "scaling.steps",
    dict.fromkeys(("zscore", "minmax"), "eegemo.scaling.affine:fit_scaling"),
)
EXPORTERS = Registry("exporters", "exporter", {})
#: In the order of `eegemo --help`.
COMMANDS = Registry(
    "commands",
    "command",
    {
        name: f"eegemo.cli.commands:{name}"
        for name in (
            "run",
            "check",
            "compare",
            "report",
            "predict",
            "preprocess",
            "audit",
            "simulate",
            "init",
            "schema",
        )
    }
    | {"list": "eegemo.cli.commands:list_names"},
)

#: Every registry by its kind; other packages add names by entry points ``eegemo.<kind>``.
REGISTRIES = {
    registry.kind: registry
    for registry in (MODELS, ADAPTERS, DATASETS, SPLITS, SCALING, EXPORTERS, COMMANDS)
}
