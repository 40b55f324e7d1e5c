"""What a search may be asked for beside its space, as far as it can be judged before anything heavy is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from search.cluster.connection import require_address
from search.errors import RunError
from search.files import layout
from search.files.checked.recorded import MOST_THREADS
from search.files.rundir import open_run
from search.training.reuse.switch import reuse
from spaces import SearchSpec

# Ray counts no smaller part of a core or card; so many trainings on one are more than any machine bears.
_LEAST_SHARE = 1e-4
# Each of them is a process; a cluster trains a thousand at a time.
_MOST_WORKERS = 10_000


def judged(workers: Any, ray: Any, cpus: Any, gpus: Any) -> int | None:
    """How many workers are asked for; None: what pays off.

    Args:
        workers: A whole number from 0 on, also as text; `auto` or None: what pays off.
        ray: The Ray cluster, see `search.run`.
        cpus: Cores of each training.
        gpus: Share of a GPU of each training.

    Raises:
        RunError: One of them, or a variable of the environment, cannot be meant.
    """
    count = _count(workers)
    require_shares(cpus, gpus)
    reuse()
    if ray is not None:
        if count == 0:
            raise RunError("--workers 0 trains in this process; with --ray give at least 1, or nothing")
        require_address(ray)
    return count


def require_width(spec: SearchSpec, directory: Path | None, count: int | None, elsewhere: bool) -> None:
    """Refuses a search in fixed order on a cluster without a number of workers: its table follows from it.

    Args:
        spec: The space.
        directory: The run directory; a run that is there goes on with what it began with. None: a new one.
        count: How many workers are asked for; None: what pays off.
        elsewhere: Whether a cluster trains.

    Raises:
        RunError: Nobody has said how many.
    """
    if not elsewhere or count is not None or (told := widthless(spec)) is None:
        return
    if directory is not None and layout.is_run(directory):
        with open_run(directory).read() as reader:
            if reader.meta("fixed_workers") is not None:
                return
    raise RunError(told)


def widthless(spec: SearchSpec) -> str | None:
    """Why a new search of this space needs a number of workers on a cluster, in words; None: it needs none."""
    if spec.search.order != "fixed":
        return None
    return "search.order: fixed needs a number of workers, and a cluster may change: give --workers N"


def require_shares(cpus: Any, gpus: Any) -> None:
    """Refuses what no training can take; arguments and errors are those of `judged`."""
    if cpus is not None and not (_is_number(cpus) and 0 < cpus <= MOST_THREADS):
        raise RunError(f"--cpus-per-trial {_written(cpus)}: must be above 0, at most {MOST_THREADS}")
    if gpus is not None and not (_is_number(gpus) and 0 <= gpus <= 1):
        raise RunError(f"--gpus-per-trial {_written(gpus)}: must be from 0 to 1, a share of one GPU")
    for option, share in (("--cpus-per-trial", cpus), ("--gpus-per-trial", gpus)):
        if share is not None and 0 < share < _LEAST_SHARE:
            raise RunError(f"{option} {_written(share)}: must be no less than {_LEAST_SHARE:g}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _written(value: Any) -> str:
    return f"{float(value):g}" if _is_number(value) else repr(value)


def _count(workers: Any) -> int | None:
    if workers is None or (isinstance(workers, str) and workers == "auto"):
        return None
    written = isinstance(workers, str) and workers.isdecimal()
    if not written and (isinstance(workers, bool) or not isinstance(workers, Integral) or int(workers) < 0):
        raise RunError(f"--workers {workers}: must be a whole number from 0 on, or auto")
    # Python takes so many digits only for a whole number; of more, a float is infinite.
    count = float(workers) if written else int(workers)
    if count > _MOST_WORKERS:
        raise RunError(f"--workers {workers}: at most {_MOST_WORKERS}")
    return int(count)


def require_word(option: str, given: Any, known: Sequence[str]) -> None:
    """Refuses a word that is none of those known: by another, nobody could say what is meant.

    Raises:
        RunError: It is none of them.
    """
    if given not in known:
        raise RunError(f"{option} {given!r}: must be {' or '.join(known)}")


def require_origin(fork: Any, run_dir: Any) -> None:
    """Refuses a fork of no run, or into that run itself: both are run directories, or None.

    Raises:
        RunError: There is a new one, and no old one, or they are the same.
    """
    if fork is None:
        return
    if run_dir is None:
        raise RunError("--fork NEW needs --run-dir OLD, the run to learn from")
    if os.path.realpath(fork) == os.path.realpath(run_dir):
        raise RunError(f"--fork {fork}: is the run to learn from, which stays as it is; give a new run directory")
