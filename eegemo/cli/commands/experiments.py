"""Commands that train: run (also to verify a result) and audit."""

import time
from pathlib import Path
from typing import Annotated

import typer

from eegemo.cli.options import Device, EngineName, Jobs, Overrides, Results, Scheduler, Trust
from eegemo.cli.work import working
from eegemo.errors import InputError

__all__ = ["audit", "run"]


def run(
    context: typer.Context,
    experiments: Annotated[
        list[Path] | None, typer.Argument(help="Experiment files, or folders of them.")
    ] = None,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    scheduler: Scheduler = None,
    set_: Overrides = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULT", help="Repeat a stored result instead, and check that it agrees."
        ),
    ] = None,
    trust: Trust = False,
) -> None:
    """Run experiments, or resume them; several results are also compared."""
    if verify is not None:
        if experiments:
            raise InputError("run: give experiment files, or --verify and a result, not both.")
        if set_:
            raise InputError("run --verify: a result is repeated unchanged, without --set.")
        source = context.get_parameter_source("results")
        by_default = source is None or source.name == "DEFAULT"
        _verify(verify, None if by_default else results, jobs, device, engine, scheduler, trust)
        return
    if not experiments:
        raise InputError("run: give experiment files, or --verify and a result folder.")
    from eegemo.config import find_experiments, foreign_code, load_experiment

    # mistakes in the files are reported before large packages are imported
    loaded = [load_experiment(file, overrides=set_ or ()) for file in find_experiments(experiments)]
    advice = "Run the same command again to resume; finished folds are kept."
    with working(advice, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
        for code in foreign_code(loaded):
            work.progress.message(f"{code.module} is imported from {code.file}.")
        names = ", ".join(experiment.name for experiment in loaded)
        work.progress.message(f"{len(loaded)} experiment(s): {names}.")
        from eegemo.comparison.page import compare_if_alike
        from eegemo.runs.run import run_experiments

        began = time.perf_counter()
        folders = run_experiments(
            loaded,
            results=results,
            jobs=work.jobs,
            progress=work.progress,
            runner=work.runner,
            engine=engine,  # type: ignore[arg-type]
        )
        several = len(folders) > 1
        comparison = compare_if_alike(folders, results, work.progress) if several else None
    from eegemo.comparison import read_sentence
    from eegemo.report import headline

    for folder in folders:
        typer.echo(f"\n{headline(folder)}\n  {folder / 'report.html'}")
    if comparison is not None:
        typer.echo(f"\n{read_sentence(comparison)}\n  {comparison}")
    typer.echo(f"\nDone in {time.perf_counter() - began:.0f} s.")


def _verify(
    result: Path,
    results: Path | None,
    jobs: int | None,
    device: str,
    engine: str,
    scheduler: str | None,
    trust: bool,
) -> None:
    advice = "The result is unchanged."
    with working(advice, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
        from eegemo.runs.verify import verify_result

        verification = verify_result(
            result,
            results=results,
            jobs=work.jobs,
            progress=work.progress,
            runner=work.runner,
            engine=engine,  # type: ignore[arg-type]
            trust=trust,
        )
    for sentence in verification.sentences:
        typer.echo(sentence)
    typer.echo(f"{result}: {'agrees.' if verification.agrees else 'does not agree.'}")
    raise typer.Exit(0 if verification.agrees else 1)


def audit(
    experiment: Annotated[Path, typer.Argument(help="An experiment file.")],
    model: Annotated[
        str | None,
        typer.Option(help="Use another model than the file's; band_power_logreg is fast."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Limit the time: band_power_logreg, few subjects."),
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(help="Number of permutations of the labels, each with a new training."),
    ] = None,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    scheduler: Scheduler = None,
    set_: Overrides = None,
) -> None:
    """Measure how much of a score is leakage, under each evaluation protocol."""
    from eegemo.config import load_experiment

    loaded = load_experiment(experiment, overrides=set_ or ())
    advice = "Run the same command again to resume."
    with working(advice, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
        from eegemo.audit import audit_experiment, read_audit, sentences

        began = time.perf_counter()
        page = audit_experiment(
            loaded,
            results=results,
            model=model,
            draws=draws,
            quick=quick,
            jobs=work.jobs,
            progress=work.progress,
            runner=work.runner,
            engine=engine,  # type: ignore[arg-type]
        )
    for sentence in sentences(read_audit(page.parent)):
        typer.echo(f"\n{sentence}")
    typer.echo(f"  {page}\n\nDone in {time.perf_counter() - began:.0f} s.")
