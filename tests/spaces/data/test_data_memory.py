import os
from pathlib import Path

import pytest

from spaces.basics.errors import DataError
from spaces.data.readers import memory

GIBIBYTE = 2**30


def test_limit_is_half_of_the_machine_or_of_the_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CGROUP_LIMIT", limit)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIBIBYTE // 4096}.__getitem__)
    assert memory.memory_limit() == 8 * GIBIBYTE
    for text, expected in (("max\n", 8), (f"{4 * GIBIBYTE}\n", 2), (f"{64 * GIBIBYTE}\n", 8)):
        limit.write_text(text)
        assert memory.memory_limit() == expected * GIBIBYTE


def test_size_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: GIBIBYTE)
    memory.check_size(GIBIBYTE, "rows.npz")
    with pytest.raises(DataError, match=r"rows.npz: holds 3.0 GiB of data, half of the memory \(1.0 GiB\)"):
        memory.check_size(3 * GIBIBYTE, "rows.npz")
