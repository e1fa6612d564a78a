"""Commands on results: compare, report, predict."""

from pathlib import Path
from typing import Annotated

import typer

from eegemo.cli.options import Device, Trust
from eegemo.cli.work import stoppable

__all__ = ["compare", "predict", "report"]


def compare(
    results: Annotated[list[Path], typer.Argument(help="Two or more result folders.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the comparison; next to the first result if not given."),
    ] = None,
) -> None:
    """Compare results with the same folds and labels; others are refused."""
    from eegemo.comparison import compare as compare_results
    from eegemo.comparison import read_sentence
    from eegemo.comparison.page import comparison_folder

    folder = out if out is not None else comparison_folder(results, results[0].parent)
    page = compare_results(results, folder)
    typer.echo(f"{read_sentence(page)}\n  {page}")


def report(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
) -> None:
    """Write the report again from the stored predictions, without training."""
    from eegemo.report import headline, write_report

    path = write_report(result)
    typer.echo(f"{headline(result)}\n  {path}")


def predict(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
    recording: Annotated[
        Path,
        typer.Argument(help="A .dat or .mat of DEAP, or a .fif, .vhdr, .edf, .bdf or .set."),
    ],
    fold: Annotated[
        str, typer.Option(help="Number of the fold whose model predicts, or all for the mean.")
    ] = "all",
    subject: Annotated[
        str | None, typer.Option(help="The participant; the name of the file if not given.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for table and figure; next to the result if not given."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier prediction in that folder.")
    ] = False,
    device: Device = "auto",
    trust: Trust = False,
) -> None:
    """Classify a new recording with the models of a result: a table and a timeline."""
    from eegemo.execution import configure

    configure(device=device)  # type: ignore[arg-type]
    with stoppable("Run the same command again."):
        from eegemo.inference import predict_recording

        prediction = predict_recording(
            result, recording, fold=fold, subject=subject, out=out, force=force, trust=trust
        )
    typer.echo("\n".join([prediction.sentence, *prediction.notes]))
    for file in ("predictions.csv", "trials.csv", "timeline.png", "confusion.png"):
        if (prediction.folder / file).is_file():
            typer.echo(f"  {prediction.folder / file}")
