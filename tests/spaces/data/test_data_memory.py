import os
from pathlib import Path

import pytest

from spaces.basics import control_groups
from spaces.basics.errors import DataError
from spaces.data.readers import memory
from spaces.data.tables.dialect import find_dialect

GIBIBYTE = 2**30


def test_limit_is_half_of_the_machine_or_of_the_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIBIBYTE // 4096}.__getitem__)
    assert memory.memory_limit() == 8 * GIBIBYTE
    for text, expected in (("max\n", 8), (f"{4 * GIBIBYTE}\n", 2), (f"{64 * GIBIBYTE}\n", 8)):
        limit.write_text(text)
        assert memory.memory_limit() == expected * GIBIBYTE


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("0::/user.slice/night.scope\n", "user.slice/night.scope/memory.max"),
        ("0::/user.slice/night.scope\n", "user.slice/memory.max"),
        ("3:cpuset:/job\n2:cpu,memory:/slurm/job\n0::/\n", "memory/slurm/job/memory.limit_in_bytes"),
        ("2:memory:/docker/1234\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_every_group_around_the_process_counts(
    own: str, file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text(own)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("1048576\n")
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
    assert memory.machine_memory() == 2**20


@pytest.mark.parametrize(
    ("own", "group", "files"),
    [
        ("0::/\n", "", ("memory.max", "memory.current", "active_file 30\ninactive_file 20\nslab_reclaimable 10\n")),
        ("2:memory:/job\n", "memory/job", ("memory.limit_in_bytes", "memory.usage_in_bytes",
                                           "inactive_file 7\ntotal_active_file 30\ntotal_inactive_file 30\n")),
    ],
)  # fmt: skip
def test_what_is_free_is_no_more_than_the_container_has_left(
    own: str, group: str, files: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meminfo, folder = tmp_path / "meminfo", tmp_path / group
    (tmp_path / "own").write_text(own)
    meminfo.write_text("MemAvailable:  1 kB\n")
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
    assert memory.free_memory(meminfo) == 1024
    limit, used, held = files
    (folder / used).write_text("900\n")
    (folder / "memory.stat").write_text(f"anon 840\n{held}")
    for text, expected in (("1000\n", 160), ("500\n", 0), ("9000\n", 1024), ("max\n", 1024)):
        (folder / limit).write_text(text)
        assert memory.free_memory(meminfo) == expected


def test_size_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: GIBIBYTE)
    memory.check_size(GIBIBYTE, "rows.npz")
    with pytest.raises(DataError, match=r"rows.npz: holds 3.0 GiB of data, half of the memory \(1.0 GiB\)"):
        memory.check_size(3 * GIBIBYTE, "rows.npz")
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    monkeypatch.setattr(memory, "memory_limit", lambda: 4)
    with pytest.raises(DataError, match=r"rows.csv: holds .* is allowed; as Parquet it is read a column at a time"):
        find_dialect(path)
