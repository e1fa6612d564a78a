"""Commands that train: run, also to repeat a result, and audit."""

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
            metavar="RESULT", help="Repeat a stored result instead, and say whether it agrees."
        ),
    ] = None,
    trust: Trust = False,
) -> None:
    """Run experiments, or go on where they stopped; several also get a comparison."""
    if verify is not None:
        if experiments:
            raise InputError("run: give experiment files, or --verify and a result, not both.")
        if set_:
            raise InputError("run --verify: a result is repeated as it was, without --set.")
        source = context.get_parameter_source("results")
        beside = source is None or source.name == "DEFAULT"
        _verify(verify, None if beside else results, jobs, device, engine, scheduler, trust)
        return
    if not experiments:
        raise InputError("run: give experiment files, or --verify and a result folder.")
    from eegemo.config import find_experiments, foreign_code, load_experiment

    # mistakes in the files are reported before anything heavy is imported
    loaded = [load_experiment(file, overrides=set_ or ()) for file in find_experiments(experiments)]
    go_on = "Run the same command again to go on; finished folds are kept."
    with working(go_on, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
        for code in foreign_code(loaded):
            work.progress.message(f"{code.module} is imported from {code.file}.")
        names = ", ".join(one.name for one in loaded)
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
    as_it_was = "The result is as it was."
    with working(as_it_was, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
        from eegemo.runs.verify import verify_result

        found = verify_result(
            result,
            results=results,
            jobs=work.jobs,
            progress=work.progress,
            runner=work.runner,
            engine=engine,  # type: ignore[arg-type]
            trust=trust,
        )
    for sentence in found.sentences:
        typer.echo(sentence)
    typer.echo(f"{result}: {'agrees.' if found.agrees else 'does not agree.'}")
    raise typer.Exit(0 if found.agrees else 1)


def audit(
    experiment: Annotated[Path, typer.Argument(help="An experiment file.")],
    model: Annotated[
        str | None,
        typer.Option(help="Another model in place of the file's; band_power_logreg is quick."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Bound the time: band_power_logreg, few draws and subjects."),
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(help="How often labels are shuffled and the model is trained again."),
    ] = None,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    scheduler: Scheduler = None,
    set_: Overrides = None,
) -> None:
    """Tell how much of a score is leak: one experiment under every way to hold out."""
    from eegemo.config import load_experiment

    loaded = load_experiment(experiment, overrides=set_ or ())
    go_on = "Run the same command again to go on."
    with working(go_on, jobs=jobs, device=device, engine=engine, scheduler=scheduler) as work:
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
