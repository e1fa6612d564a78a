"""The command line: arguments in, messages and exit codes out, no logic.

Exit code 0: done; 1: a run failed; 2: something given was wrong (one readable message, no
traceback).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from eegemo import __version__
from eegemo.errors import EegemoError, InputError

app = typer.Typer(
    name="eegemo",
    help="Classify emotion from EEG, and show how much of the score is real.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # importing rich would take longer than all else that help needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
state = {"debug": False}

Results = Annotated[Path, typer.Option(help="Folder for results.", show_default=True)]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=0, help="Folds fitted at once; one per processor if not given, 0 for no processes."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="local; together: all folds at once, on JAX; dask: workers on this or other machines; "
        "auto: together on a GPU with JAX, else local.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Of Dask's scheduler; for --engine dask."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as training.epochs=2."),
]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    state["debug"] = debug


@app.command(short_help="Run experiments, or go on where they stopped.")
def run(
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
) -> None:
    """Run experiments, or go on where they stopped; several also get a comparison."""
    if verify is not None and not experiments and not set_:
        return _verify(verify, jobs, device)
    if verify is not None or not experiments:
        raise InputError("run: give experiment files, or --verify and a result folder.")
    from eegemo.config import find_experiments, load_experiment

    # mistakes in the files are reported before anything heavy is imported
    loaded = [load_experiment(file, overrides=set_ or ()) for file in find_experiments(experiments)]
    from eegemo.clusters import open_runner
    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    jobs = available_cpus() if jobs is None else jobs
    from eegemo.progress import TerminalProgress

    go_on = _stoppable("Run the same command again to go on; finished folds are kept.")
    with (
        go_on,
        TerminalProgress() as progress,
        open_runner(engine, scheduler, jobs=jobs) as (runner, jobs),
    ):
        progress.say(f"{len(loaded)} experiment(s): {', '.join(one.name for one in loaded)}.")
        from eegemo.pipeline import compare_if_alike, run_experiments

        began = time.perf_counter()
        folders = run_experiments(
            loaded,
            results=results,
            jobs=jobs,
            progress=progress,
            runner=runner,
            engine=engine,  # type: ignore[arg-type]
        )
        comparison = compare_if_alike(folders, results, progress) if len(folders) > 1 else None
    from eegemo.comparison import read_sentence
    from eegemo.report import headline

    for folder in folders:
        typer.echo(f"\n{headline(folder)}\n  {folder / 'report.html'}")
    if comparison is not None:
        typer.echo(f"\n{read_sentence(comparison)}\n  {comparison}")
    typer.echo(f"\nDone in {time.perf_counter() - began:.0f} s.")


def _verify(result: Path, jobs: int | None, device: str) -> None:
    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.progress import TerminalProgress

    with _stoppable("The result is as it was."), TerminalProgress() as progress:
        from eegemo.verification import verify_result

        jobs = available_cpus() if jobs is None else jobs
        found = verify_result(result, jobs=jobs, progress=progress)
    for sentence in found.sentences:
        typer.echo(sentence)
    typer.echo(f"{result}: {'agrees.' if found.agrees else 'does not agree.'}")
    raise typer.Exit(0 if found.agrees else 1)


@app.command(short_help="Tell what a run would do, and what is wrong.")
def check(
    target: Annotated[
        Path, typer.Argument(help="An experiment file, a folder of them, or a data folder.")
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Read every signal, not only headers and tables.")
    ] = False,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    set_: Overrides = None,
) -> None:
    """Tell what a run would do, and what is wrong with experiment or data, before it starts."""
    from eegemo.config import find_experiments, load_experiment

    experiments = []
    if target.suffix in (".yaml", ".yml") or not target.is_dir() or list(target.glob("*.y*ml")):
        files = find_experiments([target])
        experiments = [load_experiment(file, overrides=set_ or ()) for file in files]
    from rich.console import Console

    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.progress import TerminalProgress

    console, jobs, code = Console(highlight=False), available_cpus() if jobs is None else jobs, 0
    with _stoppable("Nothing was written."), TerminalProgress() as progress:
        from eegemo.checking import check_data, check_experiment, show_data, show_experiment

        def tell(subject: str, number: int, n: int) -> None:
            progress.update("check", number, n, "reading", subject)

        if not experiments:
            data = check_data(target, full=full, on_file=tell)
            code = 0 if data.ok else 2
        found = [
            check_experiment(one, results=results, jobs=jobs, full=full, on_file=tell)
            for one in experiments
        ]
    if not experiments:
        show_data(data, console)
    for one in found:
        show_experiment(one, console)
        code = max(code, one.exit_code)
    raise typer.Exit(code)


@app.command(short_help="Put results side by side, with tests and costs.")
def compare(
    results: Annotated[list[Path], typer.Argument(help="Two or more result folders.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the comparison; beside the first result if not given."),
    ] = None,
) -> None:
    """Put results side by side; refused where their folds or labels differ."""
    from eegemo.comparison import compare as compare_results
    from eegemo.comparison import read_sentence
    from eegemo.pipeline import comparison_folder

    folder = out if out is not None else comparison_folder(results, results[0].parent)
    page = compare_results(results, folder)
    typer.echo(f"{read_sentence(page)}\n  {page}")


@app.command(short_help="Draw a report again; nothing is trained.")
def report(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
) -> None:
    """Draw the report again from the stored predictions; nothing is trained."""
    from eegemo.report import headline, write_report

    path = write_report(result)
    typer.echo(f"{headline(result)}\n  {path}")


@app.command(short_help="Classify a new recording by a result's models.")
def predict(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    recording: Annotated[
        Path,
        typer.Argument(help="A .dat or .mat of DEAP, or a .fif, .vhdr, .edf, .bdf or .set."),
    ],
    fold: Annotated[
        str, typer.Option(help="Number of the fold whose model is asked, or all for their mean.")
    ] = "all",
    subject: Annotated[
        str | None, typer.Option(help="Who was recorded; the file's name if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for table and figure; beside the result by default.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Classify a new recording by the models of a result: a table, and a timeline."""
    from eegemo.execution import configure

    configure(device=device)  # type: ignore[arg-type]
    with _stoppable("Run the same command again."):
        from eegemo.applying import predict_recording

        done = predict_recording(result, recording, fold=fold, subject=subject, out=out)
    typer.echo("\n".join([done.sentence, *done.notes]))
    typer.echo(f"  {done.folder / 'predictions.csv'}\n  {done.folder / 'timeline.png'}")


@app.command(short_help="Only the signals, with a report on their quality.")
def preprocess(
    experiment: Annotated[Path, typer.Argument(help="An experiment file.")],
    results: Results = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, help="Subjects at once; one per processor if not given, 0 for no processes."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value, as preprocessing.eog=ica."
        ),
    ] = None,
) -> None:
    """Only the signals, stored as `run` would find them, with a report on their quality."""
    from eegemo.config import load_experiment

    loaded = load_experiment(experiment, overrides=set_ or ())
    from eegemo.execution import available_cpus, configure

    configure()
    from eegemo.progress import TerminalProgress

    go_on = _stoppable("Run the same command again to go on; finished subjects are kept.")
    with go_on, TerminalProgress() as progress:
        from eegemo.quality import preprocess_experiment

        path = preprocess_experiment(
            loaded,
            results=results,
            jobs=available_cpus() if jobs is None else jobs,
            progress=progress,
        )
    typer.echo(path)


@app.command(short_help="Tell how much of a score is leak.")
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
    set_: Overrides = None,
) -> None:
    """Tell how much of a score is leak: one experiment under every way to hold out."""
    from eegemo.config import load_experiment

    loaded = load_experiment(experiment, overrides=set_ or ())
    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.progress import TerminalProgress

    with _stoppable("Run the same command again to go on."), TerminalProgress() as progress:
        from eegemo.audit import audit_experiment, read_audit, sentences

        began = time.perf_counter()
        page = audit_experiment(
            loaded,
            results=results,
            model=model,
            draws=draws,
            quick=quick,
            jobs=available_cpus() if jobs is None else jobs,
            progress=progress,
        )
    for sentence in sentences(read_audit(page.parent)):
        typer.echo(f"\n{sentence}")
    typer.echo(f"  {page}\n\nDone in {time.perf_counter() - began:.0f} s.")


@app.command(short_help="Simulate a DEAP release with known truth.")
def simulate(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the release; made if it is not there.")
    ],
    subjects: Annotated[int, typer.Option(help="Number of subjects.")] = 32,
    trials: Annotated[int, typer.Option(help="Trials (videos) per subject.")] = 40,
    duration: Annotated[float, typer.Option(help="Length of a video in seconds.")] = 60.0,
    effect: Annotated[
        float, typer.Option(help="Strength of emotion in the signals; 0 for none.")
    ] = 1.0,
    fingerprint: Annotated[float, typer.Option(help="Strength of each trial's own mark.")] = 0.4,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 0,
    formats: Annotated[
        str, typer.Option(help="python, matlab, bdf; several with commas.")
    ] = "python",
    truth: Annotated[
        bool, typer.Option("--truth", help="Also save clean signals and classes.")
    ] = False,
) -> None:
    """Simulate a DEAP release, in its own file formats, with known truth."""
    from eegemo.progress import TerminalProgress

    with _stoppable("Run the same command again."), TerminalProgress() as progress:
        from eegemo.recordings.simulated import simulate_deap

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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the entry point of the package."""
    state["debug"] = False
    try:
        app(arguments)
    except InputError as error:
        _fail(error, 2)
    except (EegemoError, OSError) as error:
        _fail(error, 1)
    except MemoryError as error:
        _fail(error, 1, "there is not enough memory. Run it again with fewer --jobs.")


@contextmanager
def _stoppable(advice: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one line that says how to go on; exit codes as shells have."""
    from eegemo.execution import ending_by_signals

    with ending_by_signals() as received:
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(f"Stopped. {advice}", err=True)
            raise typer.Exit(128 + received.get("signal", 2)) from None


def _fail(error: Exception, code: int, text: str | None = None) -> None:
    if state["debug"]:
        raise error
    typer.echo(f"eegemo: {text or error}", err=True)
    sys.exit(code)
