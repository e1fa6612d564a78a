"""Commands that take results: compare, report, predict."""

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
        typer.Option(help="Folder for the comparison; beside the first result if not given."),
    ] = None,
) -> None:
    """Put results side by side; refused where their folds or labels differ."""
    from eegemo.comparison import compare as compare_results
    from eegemo.comparison import read_sentence
    from eegemo.comparison.page import comparison_folder

    folder = out if out is not None else comparison_folder(results, results[0].parent)
    page = compare_results(results, folder)
    typer.echo(f"{read_sentence(page)}\n  {page}")


def report(
    result: Annotated[Path, typer.Argument(help="A result folder.")],
) -> None:
    """Draw the report again from the stored predictions; nothing is trained."""
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
        str, typer.Option(help="Number of the fold whose model is asked, or all for their mean.")
    ] = "all",
    subject: Annotated[
        str | None, typer.Option(help="Who was recorded; the file's name if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for table and figure; beside the result by default.")
    ] = None,
    device: Device = "auto",
    trust: Trust = False,
) -> None:
    """Classify a new recording by the models of a result: a table, and a timeline."""
    from eegemo.execution import configure

    configure(device=device)  # type: ignore[arg-type]
    with stoppable("Run the same command again."):
        from eegemo.inference import predict_recording

        done = predict_recording(
            result, recording, fold=fold, subject=subject, out=out, trust=trust
        )
    typer.echo("\n".join([done.sentence, *done.notes]))
    typer.echo(f"  {done.folder / 'predictions.csv'}\n  {done.folder / 'timeline.png'}")
