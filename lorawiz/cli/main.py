"""The program's edge: the one place that turns an error into a message and an exit code."""

import os
import sys
import traceback
from datetime import UTC, datetime
from typing import NoReturn

import typer

from lorawiz.cli import (
    caching,
    checking,
    class_images,
    cleaning,
    demo,
    models,
    preparing,
    project,
    prompting,
    reviewing,
    runs,
    serving,
    settings,
    verifying,
)
from lorawiz.cli.output import end_with_watcher, is_watched
from lorawiz.errors import LorawizError

# typer brings a click of its own and exports only the leaves of its error tree
_UsageError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

app = typer.Typer(
    name="lorawiz",
    help="Train a LoRA of a face, a character or a style from a terminal, on a remote GPU box.",
    epilog="Start with: lorawiz demo, or lorawiz new face-lora",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    demo, project, class_images, preparing, cleaning, prompting, reviewing, settings, models, checking, runs,
    verifying, caching, serving,
):  # fmt: skip
    module.register(app)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    directory: str = typer.Option(
        "", "--project", "-C", metavar="DIR", help="Work on the project in DIR, not on this one."
    ),
    as_json: bool = typer.Option(False, "--json", help="Say where the project stands, as JSON."),
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Train a LoRA of a face, a character or a style from a terminal."""
    if version:
        import lorawiz

        typer.echo(f"lorawiz {lorawiz.__version__}")
        raise typer.Exit
    if directory:
        try:
            os.chdir(directory)
        except OSError as error:
            raise LorawizError(f"{directory}: {error.strerror}") from error
    if context.invoked_subcommand is None:
        project.open_wizard(context, as_json)


def main() -> NoReturn:
    """Run the command line and exit: 0 fine, 1 our bug, 2 yours to mend, 130 interrupted."""
    if is_watched():
        end_with_watcher()
    sys.exit(_run())


def _run() -> int:  # noqa: PLR0911 - one line a kind of error
    try:
        result = app(standalone_mode=False)
    except LorawizError as error:
        _complain(f"{error.message}", error.hint)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except _UsageError as error:
        error.show()  # type: ignore[attr-defined]
        return 2
    except SystemExit as stopped:
        # typer ends a broken pipe itself
        if not isinstance(stopped.__context__, BrokenPipeError):
            raise
        return 0
    except BrokenPipeError:
        # the reader of a pipe has gone (`lorawiz logs | head`): that is no failure
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 0
    except OSError as error:
        if error.filename is None:
            return _report_bug(error)
        _complain(f"{error.filename}: {error.strerror}", _os_hint(error))
        return 2
    except Exception as error:  # noqa: BLE001 - the program's edge
        return _report_bug(error)
    return result if isinstance(result, int) else 0


def _complain(message: str, hint: str) -> None:
    typer.echo(message, err=True)
    if hint:
        typer.echo(f"  {hint}", err=True)


def _os_hint(error: OSError) -> str:
    import errno

    hints = {
        errno.ENOSPC: "free some space: work/ can be deleted at any time",
        errno.EACCES: "make it readable and writable for you",
        errno.EROFS: "the disk is read-only here",
    }
    return hints.get(error.errno or 0, "")


def _report_bug(error: Exception) -> int:
    """Keep the traceback in the log and tell where it is."""
    from lorawiz.paths import user_cache

    log = user_cache() / "lorawiz.log"
    text = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now(UTC).isoformat()} lorawiz {sys.argv[1:]}\n{text}\n")
    except OSError:
        typer.echo(text, err=True)
    _complain(
        f"this is a bug in lorawiz: {type(error).__name__}: {error}", f"the traceback is in {log}"
    )
    return 1
