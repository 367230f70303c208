"""`lambdacap model …`: from published weights to a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lambdacap.cli.console import Console
from lambdacap.cli.help import MORE, Group, shown
from lambdacap.cli.options import bare_command
from lambdacap.settings import Settings

Configure = Callable[..., Settings]

model = typer.Typer(
    cls=Group, help="Fetch weights, convert them, look at the result.", no_args_is_help=True, rich_markup_mode=None
)


@model.command(**shown(MORE, "lambdacap model fetch"))
@bare_command
def fetch(
    configure: Configure,
    console: Console,
    url: Annotated[str | None, typer.Option(help="Another address than the published one.", metavar="URL")] = None,
    sha256: Annotated[str | None, typer.Option(help="What the file has to hash to.", metavar="HEX")] = None,
) -> None:
    """Download the published weights into the cache; a broken download goes on where it was."""
    from lambdacap.model import fetch as download

    settings = configure()
    found = download.fetch(url or download.PUBLISHED, settings.cache, console.report, sha256=sha256)
    console.note(f"SHA-256 {found.sha256}")
    console.result(
        str(found.file), {"file": str(found.file), "url": found.url, "bytes": found.size, "sha256": found.sha256}
    )


@model.command(**shown(MORE, "lambdacap model convert model.pickle --output my-bundle"))
@bare_command
def convert(
    configure: Configure,
    console: Console,
    file: Annotated[Path, typer.Argument(help="The published model.pickle.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the bundle.", metavar="DIR")],
    runtime: Annotated[str, typer.Option(help="onnx, or torch: plain PyTorch, slower.", metavar="RUNTIME")] = "onnx",
    quantize: Annotated[
        str | None, typer.Option(help="int8: faster and smaller, but some captions change.", metavar="int8")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Pictures that int8 takes its ranges from.", metavar="DIR")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Pictures to compare bundle and model on.", metavar="DIR")
    ] = None,
    model_name: Annotated[str | None, typer.Option(help="What the model calls itself.", metavar="NAME")] = None,
) -> None:
    """Make a bundle of a model.pickle, and check that it says the same."""
    from lambdacap.model import bundle
    from lambdacap.model.convert import Conversion
    from lambdacap.model.convert import convert as run

    configure()
    conversion = Conversion(runtime, quantize, calibration, pictures, model_name)
    manifest = run(file, output, conversion, console.report)
    console.note(bundle.parity_sentence(manifest))
    console.result(str(output), bundle.inspect(output).data())


@model.command(**shown(MORE, "lambdacap model inspect my-bundle"))
@bare_command
def inspect(
    configure: Configure,
    console: Console,
    folder: Annotated[Path, typer.Argument(help="Folder with a bundle.", metavar="DIR")],
) -> None:
    """Show a bundle: sizes, where it comes from, how near it is to the original."""
    from lambdacap.cli.views import tables
    from lambdacap.model import bundle

    configure()
    found = bundle.inspect(folder)
    console.result(tables.bundle_table(found), found.data())
