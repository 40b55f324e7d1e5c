"""The command line: parses, calls the three packages, maps errors to exit codes. It holds no logic of its own.

Packages are imported inside the commands, so that each answers as fast as what it needs.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
    # Python puts the folder of a script first. A `random.py` that a user keeps there must not stand for Python's own.
    sys.path.append(sys.path.pop(0))

from importlib.util import find_spec

if sys.version_info < (3, 11) or find_spec("typer") is None:
    # Whoever runs this file by its path may do it with any Python: nothing below can be imported there.
    print(
        f"error: Nightshift is not installed for {sys.executable} (Python {sys.version.split()[0]}): `make search` "
        "installs it into .venv, with Python 3.11 to 3.13, and .venv/bin/run-search runs it",
        file=sys.stderr,
    )
    sys.exit(2)

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

# Before everything else of this program: its packages go before a user's files of the same names.
import nightshift

if TYPE_CHECKING:
    from spaces.basics.terminal import Console

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_WATCH_SECONDS = 2.0
# A night that has loaded TensorFlow and its data, and begun.
_BEGIN_SECONDS = 60.0
# Of what is damaged in files; a long run may have thousands of such rows.
_MOST_WARNINGS = 50
# A budget counts from here at the latest: what the command itself takes to load belongs to it.
_BEGAN = time.monotonic()

app = typer.Typer(
    name="run-search",
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
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="local|auto|HOST:PORT", help="Train on a Ray cluster: made here, this machine's, or that one."
    ),
]
CpusPerTrial = Annotated[
    float | None, typer.Option(metavar="N", help="Cores, and threads, of each training; also below 1.")
]
GpusPerTrial = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Share of a GPU of each training, from 0 to 1.")
]
OnFinish = Annotated[
    str | None, typer.Option(metavar="CMD", help="Shell command to call at the end; facts are in NIGHTSHIFT_*.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Go on in the background, also when this terminal is closed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="With an unexpected error, show its traceback.")]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="rich for people, json for programs.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"nightshift {nightshift.__version__}")
        raise typer.Exit(DONE)


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Overnight architecture search for Keras: write a space file, search, read a ranked table in the morning."""


@app.command()
def run(
    space: SpaceArgument = "digits",
    run_dir: Annotated[Path | None, typer.Option(help="Run directory; by default a new one below runs/.")] = None,
    set_: Set = None,
    max_trials: MaxTrials = None,
    budget: Budget = None,
    until: Until = None,
    workers: Workers = "auto",
    ray: Ray = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the whole search.")] = None,
    fork: Annotated[
        Path | None, typer.Option(metavar="NEW_RUN_DIR", help="Begin a new run with what --run-dir has found out.")
    ] = None,
    on_finish: OnFinish = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Begin without building the models first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the resolved space and train nothing.")] = False,
    detach: Detach = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a space, retrain the best, export it and write the report."""
    with _errors(verbose, quiet, space, set_ or ()):
        import spaces
        from search.asked import as_overrides, goes_on

        overrides, begun = as_overrides(set_ or (), max_trials, seed), goes_on(run_dir, fork)
        spec = spaces.load(space, overrides, lambda text: _say(text, quiet), begun=begun)
        _announce(spec)
        allowed = _budget(budget, until)
        from search.night.options import judged, require_origin, require_width

        require_origin(fork, run_dir)
        count = judged(workers, ray, cpus_per_trial, gpus_per_trial)
        require_width(spec, fork or run_dir, count, ray is not None)
        if dry_run:
            print(spaces.dump(spec), end="")
            if allowed.ends_by is not None:
                print(f"# ends by {allowed.ends_by}")
            return
        import search
        from search.api import going_on, run_directory

        with run_directory(fork or run_dir, spec) as directory:
            if detach:
                _detach(directory, () if run_dir is not None else ("--run-dir", str(directory)))
                return
            allowed = going_on(directory, allowed)

            def train() -> Any:
                with _followed(directory, spec, allowed, quiet) as observers:
                    _load_tensorflow()
                    return search.run(
                        spec,
                        run_dir=run_dir if fork is not None else directory,
                        budget=allowed,
                        workers=count,
                        ray=ray,
                        cpus_per_trial=cpus_per_trial,
                        gpus_per_trial=gpus_per_trial,
                        fork=fork,
                        check=not no_check,
                        observers=observers,
                        quiet=True,
                        command=_command(),
                        name=space,
                        on_interrupt="return",
                    )

            _night(train, directory, allowed, on_finish, quiet)


@app.command()
def resume(
    run: RunArgument,
    max_trials: MaxTrials = None,
    budget: Budget = None,
    until: Until = None,
    workers: Workers = "auto",
    ray: Ray = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    on_finish: OnFinish = None,
    detach: Detach = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go on with an interrupted run."""
    with _errors(verbose, quiet):
        import search
        from search.api import going_on
        from search.night.options import judged, require_width

        count = judged(workers, ray, cpus_per_trial, gpus_per_trial)
        found = search.open_run(run)
        spec, allowed = found.spec, going_on(run, _budget(budget, until))
        _announce(spec)
        require_width(spec, run, count, ray is not None)
        if detach:
            _detach(run)
            return

        def train() -> Any:
            with _followed(run, spec, allowed, quiet) as observers:
                _load_tensorflow()
                return search.resume(
                    run,
                    max_trials=max_trials,
                    budget=allowed,
                    workers=count,
                    ray=ray,
                    cpus_per_trial=cpus_per_trial,
                    gpus_per_trial=gpus_per_trial,
                    quiet=True,
                    observers=observers,
                    command=_command(),
                    on_interrupt="return",
                )

        _night(train, run, allowed, on_finish, quiet)


@app.command()
def check(
    space: SpaceArgument,
    set_: Set = None,
    budget: Budget = None,
    until: Until = None,
    ray: Ray = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the tiny pass through everything.")] = False,
    format: Format = "rich",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Rehearse a night: load the data, build, count and time models, then one tiny pass through everything."""
    with _errors(verbose, quiet, space, set_ or ()):
        _one_of(format, "rich", "json")
        import spaces

        spec = spaces.load(space, set_ or [], lambda text: _say(text, quiet))
        _announce(spec)
        allowed = _budget(budget, until)
        from nightshift import check as rehearse
        from results.ranked.formats import plain_json
        from search.night.rehearsal_view import show

        output = sys.stdout

        def tell(found: Any) -> None:
            with redirect_stdout(output), _as_far_as_read():
                if format == "json":
                    print(plain_json(found.to_json()))
                else:
                    # A length of time begins anew with the night itself.
                    show(found, _out(), allowed.length if until is None else allowed.left)

        with _output_apart():
            found = rehearse(
                spec,
                budget=allowed,
                ray=ray,
                cpus_per_trial=cpus_per_trial,
                gpus_per_trial=gpus_per_trial,
                quick=quick,
                found=tell,
            )
        if found.fails:
            raise typer.Exit(FAILED)
        if not quick:
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
        import results
        from results.ranked.formats import plain_json
        from results.watching.progress_view import show_status

        _expect_many_records()
        while True:
            found = results.status(run)
            if format == "json":
                print(plain_json(found, indent=None if watch else 2), flush=True)
            else:
                console = _out()
                if watch and console.is_interactive:
                    console.clear()
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
    columns: Annotated[
        str | None, typer.Option(help="Columns to show, separated by commas; units: all of units_0, units_1, ...")
    ] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="One row per epoch, not per configuration.")] = False,
    format: Annotated[str | None, typer.Option(help="rich, csv, json, markdown or parquet.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show the ranked table of one or more runs."""
    with _errors(verbose, quiet):
        from results.ranked.curves import epochs as epoch_table
        from results.ranked.formats import for_people, write
        from results.ranked.ranking import ranking

        _expect_many_records()
        found = epoch_table(runs) if epochs else ranking(runs, None if where or sort else top)
        chosen = found.select(
            where=where,
            sort=sort,
            top=top,
            columns=columns or None,
            finalists=for_people(format, output, columns or None),
        )
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

        _expect_many_records()
        with _output_apart():
            page = write_report(run, png=png)
        print(page)


@app.command()
def compare(
    runs: RunsArgument,
    format: Annotated[str, typer.Option(metavar="FORMAT", help="rich for people; csv, json or markdown.")] = "rich",
    html: Annotated[Path | None, typer.Option(help="Write a page that compares the runs into this file.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show several runs side by side."""
    with _errors(verbose, quiet):
        _one_of(format, "rich", "csv", "json", "markdown")
        import results
        from results.ranked.formats import write
        from results.verdicts.comparison import show_comparison

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
    formats: Annotated[
        str | None, typer.Option(help="keras, h5, savedmodel, onnx, tflite, tflite-float16, tflite-int8; by commas.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write instead of the run's export/.")] = None,
    serve: Annotated[
        bool | None,
        typer.Option("--serve/--no-serve", help="Also the folder serve/, or not; default: as the space says."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export the best model of a run and verify each file in a fresh process."""
    with _errors(verbose, quiet):
        from search import open_run

        _announce(open_run(run).spec)
        if not _export(run, trial, formats, output, serve, quiet):
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
        from results.tracking.studies import export_study as write_study

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
        from results.tracking.mlflow_log import log_mlflow as log

        done = log(run, tracking_uri=tracking_uri, experiment=experiment)
        print(done.run_id)
        _say(str(done), quiet)
        if done.how_to_look is not None:
            _say(f"to look at it: {done.how_to_look}", quiet)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="An exported model, its folder, or a run directory.")],
    files: Annotated[
        list[Path], typer.Argument(help="Images, .npy or .npz arrays, tables, or folders of them.", metavar="FILE...")
    ],
    format: Annotated[str | None, typer.Option(metavar="FORMAT", help="rich, csv or json.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
    grid: Annotated[
        Path | None, typer.Option(help="Draw the first 100 pictures with class and confidence into this PNG.")
    ] = None,
    broken: Annotated[
        str, typer.Option(metavar="HOW", help="Files that cannot be used: refuse, or skip them with a warning.")
    ] = "refuse",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Class and confidence of images or rows, from an exported model alone."""
    with _errors(verbose, quiet):
        _one_of(broken, "refuse", "skip", option="--broken")
        from results.predicting.output import chosen_format, write_predictions

        chosen = chosen_format(format, output)
        import results
        from results.predicting.grid import MOST, draw_grid

        skip: Literal["refuse", "skip"] = "skip" if broken == "skip" else "refuse"
        found = results.predict(model, files, inputs=MOST if grid is not None else 0, broken=skip)
        with _as_far_as_read():
            write_predictions(found, _out(), chosen, output)
        if grid is not None:
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
        from results.ranked.formats import plain_json
        from search import open_run
        from search.night.reproduce import reproduce as again
        from search.night.reproduce import summary
        from search.record.first.beginning import doubt

        _announce(open_run(run).spec)
        with _output_apart():
            found = again(run, configuration)
        for file in found.changed_sources:
            _say(f"warning: {doubt(file)}", quiet)
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


def console() -> None:
    """Entry point of the console command, which ends as soon as it is over."""
    from spaces.basics.ending import Ending

    ending = Ending()
    try:
        main()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            ending.code = ended.code or DONE
        raise


def main() -> None:
    """What the console command does; ends with `SystemExit`."""
    from spaces.basics.streams import open_closed

    open_closed()
    # Outside of a search, whose own handler saves first, these end a command as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # The path of a run need not be UTF-8, nor the encoding of a terminal have every sign.
        sys.stdout.reconfigure(errors="backslashreplace")
    code: Any = DONE
    try:
        app()
    except SystemExit as ended:
        code = ended.code
    except ModuleNotFoundError as error:
        _complain(
            f"{error} for {sys.executable}: pip install -r requirements.lock, or `make search`, installs everything"
        )
        code = USAGE
    except OSError as error:
        # What shows help and version is no command, whose errors are told already.
        if not _of_output(error):
            raise
        code = _unwritten(error)
    try:
        # Nobody would hear of it when the interpreter does that at its end.
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        code = _unwritten(error) or code
    sys.exit(code)


def _of_output(error: OSError) -> bool:
    """Whether standard output takes no more: what fails to be written elsewhere is told with the name of a file."""
    from search import DiskError
    from search.errors import not_written

    if isinstance(error, BrokenPipeError):
        return True
    return error.filename is None and isinstance(not_written("standard output", error), DiskError)


def _unwritten(error: OSError) -> int:
    """Says why standard output takes no more, unless its reader has seen enough; the exit code."""
    with suppress(OSError):
        # What was printed without a console still waits to be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return DONE
    _complain(f"standard output: {error.strerror or error}")
    return FAILED


@contextmanager
def _errors(verbose: bool, quiet: bool, space: str | None = None, set_: Sequence[str] = ()) -> Iterator[None]:
    """Turns the packages' errors into a sentence on standard error and an exit code.

    Args:
        verbose: Whether an unexpected error shows its traceback.
        quiet: Drops warnings.
        space, set_: What the command reads, so that mistakes in it are told with their lines.
    """
    import warnings

    from results.errors import ResultError
    from search import CheckpointError, ClusterLost, DamageWarning, DiskError, NotReported, RunError, SearchFailed
    from search.errors import NightEnded
    from spaces import CodeError, DataError, SpaceError
    from spaces.basics.errors import RowsNotWritten
    from spaces.basics.figures import plural

    told: set[str] = set()

    def tell(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, DamageWarning):
            show(message, category, *where, **more)
        elif str(message) not in told:
            told.add(str(message))
            if len(told) <= _MOST_WARNINGS:
                _say(f"warning: {message}", quiet)

    try:
        with warnings.catch_warnings():
            show, warnings.showwarning = warnings.showwarning, tell
            warnings.simplefilter("always", DamageWarning)
            if quiet:
                warnings.simplefilter("ignore")
            try:
                yield
            finally:
                if (more := len(told) - _MOST_WARNINGS) > 0:
                    _say(f"… and {plural(more, 'more warning')}", quiet)
    except SpaceError as error:
        from spaces import placed

        _fail(str(error if space is None else placed(error, space, set_)), USAGE)
    except RowsNotWritten as error:  # a DataError, but nothing that was asked for wrongly
        _fail(str(error), FAILED)
    except (CodeError, DataError, NotReported, RunError, ResultError, _UsageError) as error:
        _fail(str(error), USAGE)
    except (SearchFailed, DiskError, CheckpointError, ClusterLost) as error:
        _fail(str(error), FAILED)
    except NightEnded as error:
        _fail(str(error), error.code)
    except KeyboardInterrupt:
        _fail("interrupted; what was committed is safe", INTERRUPTED)
    except Exception as error:
        if isinstance(error, OSError) and _of_output(error):
            raise typer.Exit(_unwritten(error)) from None
        if isinstance(error, FileNotFoundError) and error.filename is None and _is_nowhere():
            _fail("the folder that this command was started in has been deleted; change into one that is there", USAGE)
        # A package of this program's own that is missing is told where the commands end: it may be one of those above.
        if isinstance(error, typer.Exit | typer.Abort | ModuleNotFoundError) or verbose:
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (run with -v for the traceback)", FAILED)


def _is_nowhere() -> bool:
    """Whether the working folder is gone: nothing can be found from there, nor written to it."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _output_apart() -> AbstractContextManager[Any]:
    """Sends what code of others prints meanwhile to standard error: standard output is for data."""
    return redirect_stdout(sys.stderr)


def _as_far_as_read() -> AbstractContextManager[Any]:
    """Shows what the reader of a pipe still takes: when they have seen enough, what follows it is done all the same."""
    return suppress(BrokenPipeError)


def _expect_many_records() -> None:
    """Lets the collector look for cycles less often: a long run is 100,000 records without any."""
    import gc

    gc.set_threshold(1_000_000)


class _UsageError(Exception):
    """An option that cannot be meant."""


def _fail(message: str, code: int) -> None:
    _complain(message)
    raise typer.Exit(code) from None


def _complain(message: str) -> None:
    with suppress(OSError):
        _err().print(f"[bold red]error:[/] {escape(_harmless(message))}", soft_wrap=True)


def _night(train: Callable[[], Any], directory: Path, allowed: Any, on_finish: str | None, quiet: bool) -> None:
    """A night, and in the morning the table; its exit code."""
    from results.morning import night
    from results.ranked.formats import write
    from results.ranked.ranking import ranking
    from search import RunError
    from search.files import layout
    from spaces import CodeError, DataError, SpaceError

    def table() -> None:
        if not quiet:
            write(ranking(directory, top=10), _out())

    try:
        with _output_apart():
            ended = night(train, directory, allowed, on_finish=on_finish, say=lambda text: _say(text, quiet))
    except (SpaceError, CodeError, DataError, RunError):
        raise
    except Exception:
        # Whatever ended it, what it has found out is shown.
        if layout.is_run(directory):
            with suppress(Exception):
                table()
        raise
    if ended.reason == "interrupted":
        _say(f"stopped and saved; go on with: run-search resume {quote(str(directory))}", quiet)
        raise typer.Exit(INTERRUPTED)
    with _as_far_as_read():
        table()
    _say(ended.headline, quiet)
    if ended.page is not None:
        _say(f"report: {ended.page}", quiet)
    if ended.problems:
        for problem in ended.problems if quiet else ():
            _say(problem, quiet=False)
        raise typer.Exit(FAILED)


def _detach(directory: Path, more: Sequence[str] = ()) -> None:
    """Starts this same command in the background; standard output says where to look at it."""
    from search.files import layout
    from search.night import detached
    from spaces.outside import launch

    # Behind the name of the command: what comes after a `--` is no option.
    name, *arguments = (argument for argument in sys.argv[1:] if argument != "--detach")
    process = detached.start(launch.command("run_search", name, *more, *arguments), directory, _BEGIN_SECONDS)
    named = quote(str(directory))
    if process is None:
        print(f"nothing was left to do in {directory}")
        print(f"  run-search table {named}")
        return
    print(f"process {process} goes on in {directory}")
    print(f"  run-search status {named} --watch")
    print(f"  tail -f {quote(str(directory / layout.LOG))}")
    print(f"  kill {process}    saves and stops; run-search resume {named} goes on")


def _export(
    run: Path, trial: str | None, formats: str | None, output: Path | None, serve: bool | None, quiet: bool
) -> bool:
    import results

    done = results.export(run, trial=trial, formats=formats or None, output=output, serve=serve)
    for file in done.files:
        _say(file.told(done.rows), quiet and file.failure is None)
    for name, reason in done.unfit:
        _say(f"{name}: left out: {reason}", quiet)
    return bool(done.verified)


@contextmanager
def _followed(directory: Path, spec: Any, allowed: Any, quiet: bool) -> Iterator[list[Any]]:
    """Who is told what happens in a run, after which export and report follow."""
    from search.night.live import make_view
    from search.night.views.steps import ExportFollows

    follows = ExportFollows(directory)
    if quiet:
        yield [follows]
        return
    began = allowed.clock.now() - allowed.spent
    view_console = _err()
    view = make_view(view_console, spec.objective.name, spec.objective.direction, allowed.promised, began)
    try:
        if view_console.is_interactive:
            view.phase("loading", None)
        yield [follows, view]
    finally:
        with suppress(OSError):
            view.close()


def _budget(budget: str | None, until: str | None) -> Any:
    """The time until everything has to be there; it began with the command."""
    from search import Budget
    from search.clock import process_began

    try:
        return Budget.given(budget, until, began=process_began(_BEGAN))
    except ValueError as error:
        raise _UsageError(str(error)) from None


def _command() -> list[str]:
    """The command line for the record, as it can be typed again: a file that Python was given is no command."""
    return ["run-search", *sys.argv[1:]]


def _load_tensorflow() -> None:
    """Loads it without what only other users of Keras need: this process is ours alone."""
    from spaces.outside.backend import load_tensorflow

    load_tensorflow(for_training_only=True)


def _one_of(given: str, *allowed: str, option: str = "--format") -> None:
    if given not in allowed:
        raise _UsageError(f"{option} {given}: must be one of {', '.join(allowed)}")


def _announce(spec: Any) -> None:
    """Tells, before anything of it is imported, whose code will run."""
    import spaces

    for reference, file in spaces.imports(spec):
        _say(f"this space runs Python code: {reference} from {file}", quiet=False)


def _say(message: str, quiet: bool) -> None:
    # A terminal that is gone takes nothing with it.
    with suppress(OSError):
        if not quiet:
            _err().print(escape(_harmless(message)), soft_wrap=True, highlight=False)


def _harmless(message: str) -> str:
    """The message, its lines kept, without what would steer the terminal."""
    from spaces.basics.printable import printable

    return "\n".join(map(printable, message.split("\n")))


def _out() -> Console:
    return _console(stderr=False)


def _err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from spaces.basics.terminal import Console

    return Console(stderr=stderr, emoji=False, highlight=False)


if __name__ == "__main__":
    console()
