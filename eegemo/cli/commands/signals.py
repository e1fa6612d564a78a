"""Commands without training: check, preprocess, simulate."""

from pathlib import Path
from typing import Annotated

import typer

from eegemo.cli.options import Device, Jobs, Overrides, Results, Scheduler
from eegemo.cli.work import stoppable, working
from eegemo.errors import InputError

__all__ = ["check", "preprocess", "simulate"]


def check(
    target: Annotated[
        Path, typer.Argument(help="An experiment file, a folder of them, or a data folder.")
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Of a data folder, read all signals, not only headers.")
    ] = False,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    set_: Overrides = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="For a folder of recordings: write the proposed table into it."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Let --write replace a table that is there.")
    ] = False,
) -> None:
    """Dry run: report what a run would do, and what is wrong with experiment or data."""
    from eegemo.config import find_experiments, load_experiment

    experiments = []
    if write:
        if not target.is_dir():
            raise InputError(f"check --write: {target} is no folder of recordings.")
    elif target.suffix in (".yaml", ".yml") or not target.is_dir() or list(target.glob("*.y*ml")):
        files = find_experiments([target])
        experiments = [load_experiment(file, overrides=set_ or ()) for file in files]
    if set_ and not experiments:
        raise InputError(f"check: --set changes an experiment, and {target} is a data folder.")
    from rich.console import Console

    console, code = Console(highlight=False), 0
    with working("Nothing was written.", jobs=jobs, device=device) as work:
        from eegemo.cli.commands.proposing import check_bare_folder
        from eegemo.cli.tables import show_data, show_experiment
        from eegemo.runs.check import check_experiment
        from eegemo.runs.check_data import check_data

        def tell(subject: str, number: int, n: int) -> None:
            work.progress.update("check", number, n, "reading", subject)

        bare = (
            None
            if experiments
            else check_bare_folder(target, write=write, force=force, on_file=tell)
        )
        if not experiments and bare is None:
            data = check_data(target, full=full, on_file=tell)
            code = 0 if data.ok else 2
        found = [
            check_experiment(experiment, results=results, jobs=work.jobs, on_file=tell)
            for experiment in experiments
        ]
    if bare is not None:
        typer.echo(bare[0])
        code = bare[1]
    elif not experiments:
        show_data(data, console)
    for checked in found:
        show_experiment(checked, console)
        code = max(code, checked.exit_code)
    raise typer.Exit(code)


def preprocess(
    experiment: Annotated[Path, typer.Argument(help="An experiment file.")],
    results: Results = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, help="Number of parallel processes; one per processor if not given, 0 for none."
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or dask: workers on this or other machines.")
    ] = "local",
    scheduler: Scheduler = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a value, e.g. preprocessing.eog=ica."
        ),
    ] = None,
) -> None:
    """Preprocess and store the signals for `run`, and report on their quality."""
    if engine not in ("local", "dask"):
        raise InputError(
            f"--engine: preprocess does not train; expected local or dask, found {engine!r}."
        )
    from eegemo.config import load_experiment

    loaded = load_experiment(experiment, overrides=set_ or ())
    advice = "Run the same command again to resume; finished subjects are kept."
    with working(advice, jobs=jobs, engine=engine, scheduler=scheduler) as work:
        from eegemo.runs.signals import preprocess_experiment

        path = preprocess_experiment(
            loaded,
            results=results,
            jobs=work.jobs,
            progress=work.progress,
            runner=work.runner,
        )
    typer.echo(path)


def simulate(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the release; created if it does not exist.")
    ],
    subjects: Annotated[int, typer.Option(help="Number of subjects.")] = 32,
    trials: Annotated[int, typer.Option(help="Trials (videos) per subject.")] = 40,
    duration: Annotated[float, typer.Option(help="Length of a video in seconds.")] = 60.0,
    effect: Annotated[
        float, typer.Option(help="Strength of the emotion effect; 0 for none.")
    ] = 1.0,
    fingerprint: Annotated[
        float, typer.Option(help="Strength of the trial-specific signature.")
    ] = 0.4,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same files.")] = 0,
    formats: Annotated[
        str, typer.Option(help="python, matlab, bdf; several separated by commas.")
    ] = "python",
    truth: Annotated[
        bool, typer.Option("--truth", help="Also save clean signals and classes.")
    ] = False,
) -> None:
    """Simulate a DEAP release with known ground truth, in DEAP's file formats."""
    from eegemo.cli.progress import TerminalProgress

    with stoppable("Run the same command again."), TerminalProgress() as progress:
        from eegemo.simulation import simulate_deap

        simulate_deap(
            folder,
            n_subjects=subjects,
            n_trials=trials,
            duration=duration,
            effect=effect,
            fingerprint=fingerprint,
            seed=seed,
            formats=[name.strip() for name in formats.split(",")],
            truth=truth,
            on_subject=lambda subject, i, n: progress.update("simulate", i, n, "simulate", subject),
        )
    typer.echo(f"Simulated data of {subjects} subjects in {folder}")
