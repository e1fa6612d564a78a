"""Run an experiment under each evaluation protocol."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eegemo.audit.outcome import INDEX
from eegemo.audit.page import write_audit
from eegemo.audit.protocols import list_protocols
from eegemo.config import Experiment, settings_for_digest
from eegemo.errors import ConfigError, DataError
from eegemo.execution import Engine, Progress, RunContext, Runner, run_tasks
from eegemo.labels import label_trials
from eegemo.models import BASELINE, make_model
from eegemo.models.keras.device import runs_together
from eegemo.registry import MODELS, options_of
from eegemo.results import open_result
from eegemo.runs.dataset import make_dataset
from eegemo.runs.design import resolve_design
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_all
from eegemo.runs.trials import prepare_trials
from eegemo.store import digest_json, lock, write_json
from eegemo.trials import load_trials

__all__ = ["QUICK_SUBJECTS", "audit_experiment", "with_model"]

#: With `quick`, at most this many subjects.
QUICK_SUBJECTS = 8
_DRAWS = 19


def audit_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    model: str | None = None,
    draws: int | None = None,
    quick: bool = False,
    jobs: int = 0,
    progress: Progress | None = None,
    runner: Runner = run_tasks,
    engine: Engine = "local",
) -> Path:
    """Run an experiment under each evaluation protocol, with true and with permuted labels.

    A report is written. Stored trials are shared with other runs, and finished runs are kept.

    Parameters
    ----------
    experiment : Experiment
        Its split determines the number of folds, the validation set, and the user's own protocol.
        Of several repeats, only the first is run.
    results : path
        Folder of results.
    model : str, optional
        A model to use instead of that of the experiment: ``"band_power_logreg"`` takes seconds.
    draws : int, optional
        How often labels are permuted and the model is trained again, for each protocol; 19 if not
        given. With 19, a score above all of them has p = 0.05; fewer are a first look.
    quick : bool
        Limit the time: the baseline unless a model is named, the first 8 subjects, and several
        subjects held out at a time.
    jobs : int
        Number of processes; 0 runs everything in the current process.
    progress : Progress, optional
        Receives messages and progress.
    runner, engine
        How tasks are run and folds are fitted, as in `eegemo.runs.run.run_experiments`.

    Returns
    -------
    page : Path
        ``audit.html``.

    Raises
    ------
    InputError
        If the experiment or its data is wrong.
    """
    context = RunContext.of(
        results=results, jobs=jobs, progress=progress, runner=runner, engine=engine
    )
    message = context.progress.message
    base = with_model(experiment, model or (BASELINE if quick else None))
    if draws is None:
        draws = _DRAWS
    if draws < 0:
        raise ConfigError(f"--draws: expected 0 or more, found {draws}.")
    base = base.model_copy(update={"repeats": 1})
    if engine == "together":
        if base.make_model().framework == "keras":
            runs_together(engine, jobs=jobs)  # refuse before reading any signal
        reason = base.make_model().cannot_fit_many([])
        if reason is not None:
            message(f"{experiment.name}: folds are fitted separately, since {reason}.")
    with context.span("prepare"):
        stored = prepare_trials(base, context)
    trials = load_trials(stored.folders)
    rating_range = make_dataset(base).rating_range
    options = base.labels.model_dump()
    labels, _ = label_trials(trials.metadata, options, rating_range=rating_range)
    base, units = resolve_design(base, trials, labels)
    about = trials.metadata
    subjects = sorted(set(about["subject"].astype(str)))
    notes = list(stored.notes)
    if quick and len(subjects) > QUICK_SUBJECTS:
        subjects = subjects[:QUICK_SUBJECTS]
        fewer = base.data.model_copy(update={"subjects": list(subjects)})
        base = base.model_copy(update={"data": fewer})
        notes.append(f"Only the first {len(subjects)} subjects were used (--quick).")
        about = about[about["subject"].astype(str).isin(subjects)]
    stimulus = about["stimulus"].astype(str)
    splits, missing = list_protocols(
        base.split.model_dump(),
        n_subjects=len(subjects),
        stimuli_known=bool((stimulus != "").all() and stimulus.duplicated().any()),
        one_by_one=not quick,
        constant_over=units,
    )
    runs: list[Experiment] = []
    plan: dict[str, range] = {}
    for name, split in splits.items():
        experiment_of_protocol = _split(base, split)
        try:
            prepare_experiment(experiment_of_protocol, replace(context, progress=Progress()))
        except DataError as error:
            if name == "trial":  # the reference of all others
                raise
            missing[name] = str(error).removeprefix("split: ").rstrip(".")
            continue
        null = [
            experiment_of_protocol.model_copy(
                update={"shuffle_labels": k, "name": f"{name}-shuffled-{k}"}
            )
            for k in range(draws)
        ]
        plan[name] = range(len(runs), len(runs) + 1 + draws)
        runs += [experiment_of_protocol.model_copy(update={"name": name}), *null]
    settings = settings_for_digest(base)
    data = [folder.name for folder in stored.folders]
    key = digest_json({"settings": settings, "data": data})
    folder = context.results / f"audit-{experiment.name}-{key[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / ".lock"):
        message(
            f"{experiment.name}: {len(plan)} protocols, each with true labels and "
            f"{draws} times with permuted ones."
        )
        inner = replace(
            context,
            results=folder / "runs",
            progress=SilentProgress(context.progress, experiment.name, len(runs)),
            runner=with_messages(context.runner, message),
        )
        folders = run_all(runs, inner, report=False)
        for run_folder in folders:
            record = open_result(run_folder).provenance
            if record.get("shuffle_labels") is None:
                notes += [note for note in record["notes"] if note not in notes]
        write_json(
            folder / INDEX,
            {
                "experiment": experiment.name,
                "asked": base.split.group,
                "model": base.model.name,
                "model_of_file": experiment.model.name,
                "quick": quick,
                "draws": draws,
                "missing": missing,
                "notes": notes,
                "protocols": {
                    name: {
                        "split": splits[name],
                        "run": folders[where[0]].name,
                        "shuffled": [folders[k].name for k in where[1:]],
                    }
                    for name, where in plan.items()
                },
            },
        )
        return write_audit(folder)


def with_model(experiment: Experiment, name: str | None) -> Experiment:
    """Replace the model of an experiment, keeping the options that both models have."""
    if name is None or name == experiment.model.name:
        return experiment
    try:
        options = set(options_of(MODELS.resolve(name)))
    except ConfigError as error:
        raise ConfigError(f"--model: {str(error).removeprefix('model.name: ')}") from error
    both_in_epochs = make_model(name).in_epochs and experiment.make_model().in_epochs
    shared = options if both_in_epochs else set()
    model = experiment.model.model_dump(include=shared) | {"name": name}
    changed: dict[str, Any] = experiment.model_dump() | {"model": model}
    if not both_in_epochs:  # the candidates were hyperparameters of the other model
        changed["choice"] = None
    return Experiment.model_validate(changed)


def _split(experiment: Experiment, split: dict[str, Any]) -> Experiment:
    return Experiment.model_validate(experiment.model_dump() | {"split": split})


def with_messages(runner: Runner, message: Callable[[str], None]) -> Runner:
    """Return a runner that reports lost processes and missing workers to `message`."""

    def run(function: Callable[[Any], Any], tasks: Sequence[Any], **options: Any) -> Iterator[Any]:
        return runner(function, tasks, **(options | {"message": message}))

    return run


class SilentProgress(Progress):
    """Report many runs as one task, without the messages of single runs."""

    def __init__(self, progress: Progress, name: str, n_runs: int) -> None:
        self._progress, self._name, self._n = progress, name, n_runs
        self._done: dict[str, float] = {}

    def message(self, text: str) -> None:
        """Drop the messages of single runs."""

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Add up the progress of all runs."""
        if label.endswith("trials"):
            return
        self._done[key] = done / total if total else 1.0
        self._progress.update(
            self._name, sum(self._done.values()), self._n, f"{self._name}: audit", note
        )
