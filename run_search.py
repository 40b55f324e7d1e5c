"""The command line: parses, calls the three packages, maps errors to exit codes. It holds no logic of its own.

Packages are imported inside the commands, so that each answers as fast as what it needs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_WATCH_SECONDS = 2.0

app = typer.Typer(
    name="run-search",
    help="Overnight architecture search for Keras: write a space file, search, read a ranked table in the morning.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

SpaceArgument = Annotated[str, typer.Argument(help="A shipped space's name or the path of a space file.")]
RunArgument = Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")]
RunsArgument = Annotated[list[Path], typer.Argument(help="One or more run directories.", metavar="RUN...")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the space file; repeatable.")
]
Budget = Annotated[str | None, typer.Option(metavar="DURATION", help="Time for everything, such as 90s, 30m or 8h.")]
Until = Annotated[str | None, typer.Option(metavar="HH:MM", help="Local time by which everything has to be there.")]
MaxTrials = Annotated[int | None, typer.Option(min=1, help="Trials of the whole search, over all resumes.")]
Workers = Annotated[str, typer.Option(metavar="N|auto", help="Worker processes; 0 trains in this process.")]
OnFinish = Annotated[
    str | None, typer.Option(metavar="CMD", help="Shell command to call at the end; facts are in NIGHTSHIFT_*.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; with an unexpected error, its traceback.")]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="rich for people, json for programs.")]


@app.command()
def run(
    space: SpaceArgument = "digits",
    run_dir: Annotated[Path | None, typer.Option(help="Run directory; by default a new one below runs/.")] = None,
    set_: Set = None,
    max_trials: MaxTrials = None,
    budget: Budget = None,
    until: Until = None,
    workers: Workers = "auto",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the whole search.")] = None,
    fork: Annotated[
        Path | None, typer.Option(metavar="NEW_RUN_DIR", help="Begin a new run with what --run-dir has found out.")
    ] = None,
    on_finish: OnFinish = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Begin without building the models first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the resolved space and train nothing.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a space, retrain the best, export it and write the report."""
    with _errors(verbose, quiet):
        import spaces

        overrides = [*(set_ or [])]
        overrides += [f"search.max_trials={max_trials}"] if max_trials is not None else []
        overrides += [f"search.seed={seed}"] if seed is not None else []
        spec = spaces.load(space, overrides)
        _announce(spec)
        if dry_run:
            print(spaces.dump(spec), end="")
            return
        ends = _ends(budget, until)
        import search

        _load_tensorflow()
        with _failure_told(on_finish), _view(spec, ends, quiet) as observers:
            finished = search.run(
                spec,
                run_dir=run_dir,
                until=ends,
                workers=_workers(workers),
                fork=fork,
                check=not no_check,
                observers=observers,
                command=sys.argv,
                name=space,
            )
        _conclude(finished, quiet, on_finish)


@app.command()
def resume(
    run: RunArgument,
    max_trials: MaxTrials = None,
    budget: Budget = None,
    until: Until = None,
    workers: Workers = "auto",
    on_finish: OnFinish = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go on with an interrupted run."""
    with _errors(verbose, quiet):
        import search

        found = search.open_run(run)
        spec, ends = found.spec, _ends(budget, until) or found.promised
        _announce(spec)
        _load_tensorflow()
        with _failure_told(on_finish), _view(spec, ends, quiet) as observers:
            finished = search.resume(
                run, max_trials=max_trials, until=ends, workers=_workers(workers), observers=observers, command=sys.argv
            )
        _conclude(finished, quiet, on_finish)


@app.command()
def check(
    space: SpaceArgument,
    set_: Set = None,
    budget: Budget = None,
    until: Until = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the tiny pass through everything.")] = False,
    format: Format = "rich",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Rehearse a night: load the data, build, count and time models, then one tiny pass through everything."""
    with _errors(verbose, quiet):
        _one_of(format, "rich", "json")
        import spaces

        spec = spaces.load(space, set_ or [])
        _announce(spec)
        ends = _ends(budget, until)
        from results.formats import plain_json
        from search.rehearsal import rehearse
        from search.rehearsal_view import show

        found = rehearse(spec, timed=ends is not None)
        if format == "json":
            print(plain_json(found.to_json()))
        else:
            show(found, _out(), None if ends is None else ends - datetime.now().timestamp())
        if found.fails:
            raise typer.Exit(FAILED)
        if not quick:
            _pass_through(spec)
            _say("a tiny pass through search, retraining, export, prediction and report went well", quiet)


@app.command()
def status(
    run: RunArgument,
    format: Format = "rich",
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every few seconds until Ctrl-C.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show the progress of a run, whether it is running or not."""
    with _errors(verbose, quiet):
        _one_of(format, "rich", "json")
        import time

        import results
        from results.formats import plain_json
        from results.progress_view import show_status

        while True:
            found = results.status(run)
            console = _out()
            if watch and console.is_terminal:
                console.clear()
            if format == "json":
                print(plain_json(found, indent=None if watch else 2), flush=True)
            else:
                show_status(found, console)
            if not (watch and found["active"]):
                return
            time.sleep(_WATCH_SECONDS)


@app.command()
def table(
    runs: RunsArgument,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best so many.")] = None,
    sort: Annotated[str | None, typer.Option(help="Column to sort by; -column for descending order.")] = None,
    where: Annotated[
        str | None, typer.Option(help="Only rows for which it holds: 'layers >= 2 and score > 0.9'")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to show, separated by commas.")] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="One row per epoch, not per configuration.")] = False,
    format: Annotated[str | None, typer.Option(help="rich, csv, json, markdown or parquet.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show the ranked table of one or more runs."""
    with _errors(verbose, quiet):
        from results.curves import epochs as epoch_table
        from results.formats import write
        from results.ranking import ranking

        found = epoch_table(runs) if epochs else ranking(runs)
        chosen = found.select(where=where, sort=sort, top=top, columns=columns.split(",") if columns else None)
        write(chosen, _out(), format, output, notes=not quiet)


@app.command()
def report(
    run: RunArgument,
    png: Annotated[bool, typer.Option("--png/--no-png", help="Draw every chart as a PNG file too.")] = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the comparison report of a run (again)."""
    with _errors(verbose, quiet):
        from results.reporting import report as write_report

        print(write_report(run, png=png))


@app.command()
def compare(
    runs: RunsArgument,
    format: Format = "rich",
    html: Annotated[Path | None, typer.Option(help="Write a page that compares the runs into this file.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show several runs side by side."""
    with _errors(verbose, quiet):
        import results
        from results.comparison import show_comparison
        from results.formats import write

        found = results.compare(runs)
        if html is not None:
            results.compare_report(runs, html)
        if format == "rich":
            show_comparison(found, _out())
        else:
            write(found, _out(), format)


@app.command()
def export(
    run: RunArgument,
    trial: Annotated[str | None, typer.Option(help="A configuration of the table instead of the winner.")] = None,
    formats: Annotated[str | None, typer.Option(help="keras, h5, savedmodel, onnx, tflite; by commas.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write instead of the run's export/.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export the best model of a run and verify each file in a fresh process."""
    with _errors(verbose, quiet):
        from search import open_run

        _announce(open_run(run).spec)
        if not _export(run, trial, formats, output, quiet):
            raise typer.Exit(FAILED)


@app.command("export-study")
def export_study(
    run: RunArgument,
    storage: Annotated[str, typer.Option(help="Where Optuna keeps studies, such as sqlite:///file.db.")],
    name: Annotated[str | None, typer.Option(help="Name of the study; default: that of the run directory.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a run as an Optuna study, for Optuna's plots and optuna-dashboard."""
    with _errors(verbose, quiet):
        from results.studies import export_study as write_study

        print(write_study(run, storage, name))


@app.command("log-mlflow")
def log_mlflow(
    run: RunArgument,
    tracking_uri: Annotated[
        str | None, typer.Option(help="Where MLflow keeps runs; default: MLFLOW_TRACKING_URI, or MLflow's own default.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="Name of the experiment; default: the space's name.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Log a run to MLflow: curves and scores of all configurations, report and models. Again: bring it up to date."""
    with _errors(verbose, quiet):
        from results.mlflow_log import log_mlflow as log

        done = log(run, tracking_uri=tracking_uri, experiment=experiment)
        print(done.run_id)
        _say(str(done), quiet)
        if done.how_to_look is not None:
            _say(f"to look at it: {done.how_to_look}", quiet)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="An exported model, its folder, or a run directory.")],
    files: Annotated[list[Path], typer.Argument(help="Images, .npy arrays or .csv rows.", metavar="FILE...")],
    format: Format = "rich",
    grid: Annotated[Path | None, typer.Option(help="Draw pictures, class and confidence into this PNG.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Class and confidence of images or rows, from an exported model alone."""
    with _errors(verbose, quiet):
        _one_of(format, "rich", "json")
        import results
        from results.formats import plain_json
        from results.predicting.show import show

        found = results.predict(model, files)
        if format == "json":
            print(plain_json([prediction.to_json() for prediction in found]))
        else:
            show(found, _out())
        if grid is not None:
            from results.predicting.grid import draw_grid

            draw_grid(found, grid)


@app.command()
def reproduce(
    run: RunArgument,
    configuration: Annotated[str, typer.Argument(help="Id or name of a configuration in the table.", metavar="ID")],
    format: Format = "rich",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train one configuration of a run again and show both scores."""
    with _errors(verbose, quiet):
        _one_of(format, "rich", "json")
        from results.formats import plain_json
        from search import open_run
        from search.reproduce import reproduce as again
        from search.reproduce import summary

        _announce(open_run(run).spec)
        found = again(run, configuration)
        if format == "json":
            print(plain_json(summary(found)))
        else:
            for key, value in summary(found).items():
                print(f"{key}: {value}")
        if found.outcome.failure is not None:
            raise typer.Exit(FAILED)


@app.command("spaces")
def spaces_(
    name: Annotated[str | None, typer.Argument(help="A shipped space.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the shipped spaces, or show one."""
    with _errors(verbose, quiet):
        import spaces

        if name is not None:
            print(spaces.library_file(name).read_text(encoding="utf-8"), end="")
            return
        for shipped in spaces.names():
            print(shipped)


@app.command()
def schema(quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Print the JSON Schema of space files."""
    with _errors(verbose, quiet):
        import spaces

        print(json.dumps(spaces.json_schema(), indent=2))


def main() -> None:
    """Entry point of the console command."""
    # Outside of a search, whose own handler saves first, SIGTERM ends a command as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


@contextmanager
def _errors(verbose: bool, quiet: bool) -> Iterator[None]:
    """Turns the packages' errors into a sentence on standard error and an exit code; `quiet` drops warnings."""
    import warnings

    from results.errors import ResultError
    from search import CheckpointError, DamageWarning, DiskError, RunError, SearchFailed
    from spaces import DataError, SpaceError

    told: set[str] = set()

    def tell(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, DamageWarning):
            show(message, category, *where, **more)
        elif str(message) not in told:
            told.add(str(message))
            _say(f"warning: {message}", quiet)

    try:
        with warnings.catch_warnings():
            show, warnings.showwarning = warnings.showwarning, tell
            warnings.simplefilter("always", DamageWarning)
            if quiet:
                warnings.simplefilter("ignore")
            yield
    except (SpaceError, DataError, RunError, ResultError, _UsageError) as error:
        _fail(str(error), USAGE)
    except (SearchFailed, DiskError, CheckpointError) as error:
        _fail(str(error), FAILED)
    except KeyboardInterrupt:
        _fail("interrupted; what was committed is safe", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(DONE) from None
    except Exception as error:
        if isinstance(error, typer.Exit | typer.Abort) or verbose:
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (run with -v for the traceback)", FAILED)


class _UsageError(Exception):
    """An option that cannot be meant."""


def _fail(message: str, code: int) -> None:
    from search.door import harmless

    _err().print(f"[bold red]error:[/] {escape(harmless(message))}", soft_wrap=True)
    raise typer.Exit(code) from None


def _pass_through(spec: Any) -> None:
    """Does everything that a night does, on a sliver of the data, in a folder that is thrown away."""
    import tempfile

    import numpy as np

    import results
    import search
    from results.reporting import report as write_report
    from search import layout
    from search.rehearsal import sliver

    with tempfile.TemporaryDirectory() as scratch:
        tiny = search.run(sliver(spec), run_dir=Path(scratch) / "run", workers=0, check=False)
        with tiny.read() as reader:
            if reader.meta("exit") != "done":
                raise KeyboardInterrupt
        exported = results.export(tiny)
        write_report(tiny)
        with np.load(tiny.directory / layout.TEST_ROWS) as rows:
            np.save(Path(scratch) / "row.npy", rows["x"][:1])
        results.predict(tiny.directory, [Path(scratch) / "row.npy"])
        failures = [f"{file.format}: {file.failure}" for file in exported.files if file.failure is not None]
    if failures:
        _fail(f"the night would fail: {'; '.join(failures)}", FAILED)


def _conclude(finished: Any, quiet: bool, on_finish: str | None) -> None:
    """What follows a search: export, report, table; or how to go on if it was interrupted."""
    from results.formats import write
    from results.ledger import Account, booked
    from results.notify import headline
    from results.progress import status
    from results.ranking import ranking
    from results.reporting import report as write_report

    with finished.read() as reader:
        reason = reader.meta("exit")
    if reason == "interrupted":
        _say(f"stopped and saved; go on with: run_search.py resume {finished.directory}", quiet)
        _notify(finished, reason, None, on_finish)
        raise typer.Exit(INTERRUPTED)
    with booked(finished, Account.EXPORT):
        verified = _export(finished.directory, None, None, None, quiet)
    with booked(finished, Account.REPORT):
        page = write_report(finished)
    _notify(finished, reason if verified else "failed", page, on_finish)
    if not quiet:
        write(ranking(finished).select(top=10), _out())
        _say(headline(status(finished), reason), quiet)
        _say(f"report: {page}", quiet)
    if not verified:
        raise typer.Exit(FAILED)


@contextmanager
def _failure_told(command: str | None) -> Iterator[None]:
    """Calls the user's command for a search that failed too."""
    from search import SearchFailed

    try:
        yield
    except SearchFailed as error:
        if error.directory is not None:
            _notify(error.directory, "failed", None, command)
        raise


def _notify(finished: Any, reason: str, page: Path | None, command: str | None) -> None:
    if command is not None:
        from results.notify import call, facts

        call(command, facts(finished, reason, page))


def _export(run: Path, trial: str | None, formats: str | None, output: Path | None, quiet: bool) -> bool:
    import results

    done = results.export(run, trial=trial, formats=formats.split(",") if formats else None, output=output)
    for file in done.files:
        if file.failure is not None:
            _say(f"{file.format}: FAILED: {file.failure}", quiet=False)
        else:
            _say(f"{file.path}: verified on {done.rows} rows", quiet)
    return bool(done.verified)


@contextmanager
def _view(spec: Any, until: float | None, quiet: bool) -> Iterator[list[Any]]:
    if quiet:
        yield []
        return
    from search.live import make_view

    view = make_view(_err(), spec.objective.name, spec.objective.direction, until)
    try:
        yield [view]
    finally:
        view.close()


def _ends(budget: str | None, until: str | None) -> float | None:
    """Unix time by which everything has to be there."""
    from search.durations import deadline

    try:
        return deadline(budget, until, datetime.now().astimezone())
    except ValueError as error:
        raise _UsageError(str(error)) from None


def _load_tensorflow() -> None:
    """Loads it without what only other users of Keras need: this process is ours alone."""
    from spaces.backend import load_tensorflow

    load_tensorflow(for_training_only=True)


def _workers(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdecimal():
        raise _UsageError(f"--workers {given}: must be a whole number from 0 on, or auto")
    return int(given)


def _one_of(given: str, *allowed: str) -> None:
    if given not in allowed:
        raise _UsageError(f"--format {given}: must be one of {', '.join(allowed)}")


def _announce(spec: Any) -> None:
    """Tells, before anything of it is imported, whose code will run."""
    import spaces

    for reference, file in spaces.imports(spec):
        _say(f"this space runs Python code: {reference} from {file}", quiet=False)


def _say(message: str, quiet: bool) -> None:
    from search.door import harmless

    if not quiet:
        _err().print(escape(harmless(message)), soft_wrap=True, highlight=False)


def _out() -> Console:
    return Console(highlight=False)


def _err() -> Console:
    return Console(stderr=True, highlight=False)


if __name__ == "__main__":
    main()
