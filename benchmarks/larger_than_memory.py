"""Peak memory and speed of training on rows that stay on the disk, beside the same rows in memory.

    python benchmarks/larger_than_memory.py [--rows 200000] [--side 64] [--limit 4000] [--folder DIR] [--json out.json]
        [--pictures] [--table COLUMNS] [--kills 3] [--only-streamed]

Writes an array of coloured images, or a folder of pictures for each class, or a Parquet table of so many columns of
numbers, trains on it with `data.stream: true` and, where it fits, with `false`, each in a process of its own and the
first one under a limit of its address space (`ulimit -v`, in MB), and prints rows a second in an epoch, and the largest
resident memory of all processes together (Linux: from /proc, five times a second). The network is a small one, so that
reading has to keep up with it.

With `--kills` a further streamed search is killed (-9) so many times, evenly over the time that the undisturbed one
took, and resumed each time; whether its table is that of the undisturbed one is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = 2000
_TABLE_BLOCK = 50_000
_CLASSES = 4
_IMAGES = "family: cnn, stem: {filters: 8, stride: 4}, blocks: 1, filters: 8, dense_layers: 1, dense_units"
_TABLE = "family: mlp, layers: 1, units"
_SPACE = """\
name: larger
data: {{source: {{{source}}}, stream: {stream}{image_size}}}
model: {{{model}: {units}}}
training: {{epochs: {epochs}, batch_size: 64}}
search: {{algorithm: random, max_trials: {trials}}}
final: {{candidates: 1, seeds: 0, train_on_validation: false}}
export: {{formats: [keras]}}
"""


def main() -> None:
    """Prints one line for each way of keeping the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--limit", type=int, help="address space of the streamed run, in MB", default=4000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--pictures", action="store_true", help="a PNG file for each row instead of an array")
    parser.add_argument("--table", type=int, metavar="COLUMNS", help="a Parquet table of numbers instead of an array")
    parser.add_argument("--kills", type=int, default=0, help="of one more streamed search, which is resumed each time")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only-streamed", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the first one of a trial compiles, and is not counted")
    if options.table is not None and (options.pictures or options.table < 1):
        parser.error("--table must be at least 1, and has no --pictures")
    if options.folder is not None and not options.folder.is_dir():
        parser.error(f"--folder {options.folder}: no such folder")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = Path(folder) / "rows"
        if options.table is None:
            size = write(rows, options.rows, options.side, options.pictures)
        else:
            size = write_table(rows, options.rows, options.table)
        print(f"{size / 1e6:.0f} MB of rows, {size / options.limit / 1e6:.1f} times the limit of {options.limit} MB")
        found = {"on the disk": run(Path(folder), rows, True, options)}
        if options.kills:
            every = found["on the disk"]["seconds"] / (options.kills + 1)
            kills = [every * (number + 1) for number in range(options.kills)]
            found["killed"] = run(Path(folder), rows, True, options, kills)
        if not options.only_streamed:
            found["in memory"] = run(Path(folder), rows, False, options)
    print(f"{'':<14}{'rows/s':>10}{'peak resident MB':>18}{'seconds':>10}")
    for name, one in found.items():
        print(f"{name:<14}{one['rows_per_second']:>10.0f}{one['peak'] / 1e6:>18.0f}{one['seconds']:>10.0f}")
    if options.kills:
        print(f"{options.kills} kills: the same table: {found['killed']['table'] == found['on the disk']['table']}")
    if not options.only_streamed:
        speed = found["on the disk"]["rows_per_second"] / found["in memory"]["rows_per_second"]
        print(f"speed: {speed:.2f} of that in memory")
        print(f"the same scores: {found['on the disk']['scores'] == found['in memory']['scores']}")
    if options.json is not None:
        options.json.write_text(json.dumps({"bytes": size, **found}))


def write(folder: Path, count: int, side: int, pictures: bool) -> int:
    """A folder with x.npy and y.npy, or one with a folder of pictures for each class; bytes of the rows."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, _CLASSES, count)
    shape = (count, side, side, 3)
    x = None if pictures else np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, shape)
    for number in range(_CLASSES if pictures else 0):
        (folder / str(number)).mkdir()
    for start in range(0, count, _BLOCK):
        y = labels[start : start + _BLOCK]
        noise = np.frombuffer(generator.bytes(len(y) * side * side * 3), np.uint8).reshape(-1, side, side, 3)
        block = noise // 2 + (y * 12)[:, None, None, None].astype(np.uint8)
        if x is not None:
            x[start : start + _BLOCK] = block
            continue
        for row, (label, image) in enumerate(zip(y, block, strict=True), start):
            Image.fromarray(image).save(folder / str(label) / f"{row}.png", compress_level=1)
    if x is not None:
        x.flush()
        np.save(folder / "y.npy", labels)
    return math.prod(shape)


def write_table(folder: Path, count: int, columns: int) -> int:
    """A folder with table.parquet, whose last column is the class; bytes of the rows."""
    import pyarrow
    from pyarrow import parquet

    folder.mkdir()
    generator = np.random.default_rng(0)
    names = [f"x{number}" for number in range(columns)]
    schema = pyarrow.schema([*((name, pyarrow.float32()) for name in names), ("kind", pyarrow.string())])
    with parquet.ParquetWriter(folder / "table.parquet", schema) as file:
        for start in range(0, count, _TABLE_BLOCK):
            y = generator.integers(0, _CLASSES, min(_TABLE_BLOCK, count - start))
            x = generator.standard_normal((columns, len(y)), np.float32) + y.astype(np.float32) / 4
            block = [*(pyarrow.array(column) for column in x), pyarrow.array([f"class {label}" for label in y])]
            file.write_table(pyarrow.Table.from_arrays(block, schema=schema))
    return 4 * count * columns


def space(rows: Path, stream: bool, options: argparse.Namespace) -> str:
    """The space file of a search of these rows."""
    source = f"folder: {rows}" if options.pictures else f"npz: {rows}"
    table = options.table is not None
    return _SPACE.format(
        source=f"parquet: {rows / 'table.parquet'}" if table else source,
        model=_TABLE if table else _IMAGES,
        image_size=f", image_size: [{options.side}, {options.side}]" if options.pictures else "",
        stream=str(stream).lower(),
        epochs=options.epochs,
        trials=options.trials,
        units="16" if options.trials == 1 else "{min: 8, max: 64}",
    )


def run(
    folder: Path, rows: Path, stream: bool, options: argparse.Namespace, kills: Sequence[float] = ()
) -> dict[str, Any]:
    """One search in a process of its own, killed so many seconds after its start and resumed each time."""
    name = f"{'streamed' if stream else 'whole'}{'-killed' if kills else ''}"
    written, directory = folder / f"{name}.yaml", folder / f"run-{name}"
    written.write_text(space(rows, stream, options))

    def limited() -> None:
        if stream:
            resource.setrlimit(resource.RLIMIT_AS, (options.limit * 10**6, options.limit * 10**6))

    started, peak, left = time.perf_counter(), 0, deque(kills)
    # A run that was killed before it had its directory is begun.
    while True:
        resume = (directory / "run.sqlite").exists()
        order = ["resume", str(directory)] if resume else ["run", str(written), "--run-dir", str(directory)]
        command = [sys.executable, str(ROOT / "run_search.py"), *order, "--workers", str(options.workers), "-q"]
        process = subprocess.Popen(command, preexec_fn=limited)
        killed = False
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            if left and time.perf_counter() - started >= left[0]:
                left.popleft()
                process.kill()
                killed = True
            time.sleep(0.2)
        if not killed:
            break
        print(f"killed {time.perf_counter() - started:.0f} s after the start", file=sys.stderr, flush=True)
    if process.returncode:
        raise SystemExit(f"the run with data.stream: {stream} ended with {process.returncode}")
    import results
    from search.files.rundir import open_run

    with open_run(directory).read() as reader:
        outcomes = [trial.outcome for trial in reader.trials() if trial.outcome is not None and trial.outcome.epochs]
        counts = reader.meta("data")["rows"]
    # The first epoch of a trial compiles.
    epochs = [epoch.seconds for outcome in outcomes for epoch in outcome.epochs[1:]]
    table = results.table(directory)
    return {
        "rows_per_second": (counts["train"] + counts["validation"]) * len(epochs) / sum(epochs),
        "peak": peak,
        "seconds": time.perf_counter() - started,
        "scores": [outcome.score for outcome in outcomes],
        "table": table.drop(columns=[name for name in table if "seconds" in name]).to_csv(),
    }


def _resident(process: int) -> int:
    """Of a process and all that it has started."""
    try:
        own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    return own + sum(_resident(int(child)) for child in children)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
