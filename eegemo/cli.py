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


@app.command()
def run(
    experiments: Annotated[
        list[Path], typer.Argument(help="Experiment files, or folders of them.")
    ],
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Device = "auto",
    set_: Overrides = None,
) -> None:
    """Run experiments, or go on where they stopped; several also get a comparison."""
    from eegemo.config import find_experiments, load_experiment

    # mistakes in the files are reported before anything heavy is imported
    loaded = [load_experiment(file, overrides=set_ or ()) for file in find_experiments(experiments)]
    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.progress import TerminalProgress

    go_on = _stoppable("Run the same command again to go on; finished folds are kept.")
    with go_on, TerminalProgress() as progress:
        progress.say(f"{len(loaded)} experiment(s): {', '.join(one.name for one in loaded)}.")
        from eegemo.pipeline import compare_if_alike, run_experiments

        began = time.perf_counter()
        folders = run_experiments(
            loaded,
            results=results,
            jobs=available_cpus() if jobs is None else jobs,
            progress=progress,
        )
        comparison = compare_if_alike(folders, results, progress) if len(folders) > 1 else None
    from eegemo.comparison import read_sentence
    from eegemo.report import headline

    for folder in folders:
        typer.echo(f"\n{headline(folder)}\n  {folder / 'report.html'}")
    if comparison is not None:
        typer.echo(f"\n{read_sentence(comparison)}\n  {comparison}")
    typer.echo(f"\nDone in {time.perf_counter() - began:.0f} s.")


@app.command()
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


@app.command()
def report(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
) -> None:
    """Draw the report again from the stored predictions; nothing is trained."""
    from eegemo.report import headline, write_report

    path = write_report(result)
    typer.echo(f"{headline(result)}\n  {path}")


@app.command()
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


@app.command()
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


@app.command()
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
