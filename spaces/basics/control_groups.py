"""The control groups that this process is in: of its container or its job, and those around them.

Asked by hand: Linux says it in a few lines, and no library at hand knows all of its forms.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def around(controller: str) -> Iterator[tuple[int, Path]]:
    """The groups that may limit this process, those outside before those within them.

    Args:
        controller: What they limit, such as `cpu` or `memory`.

    Yields:
        The version of the control groups, which decides how a limit is written, and the folder; it need not be there.
    """
    # The second version has one hierarchy, the first has one for each controller.
    own = {"": "/", controller: "/"}
    with contextlib.suppress(OSError):
        for line in OWN.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            own |= {name: group for name in controllers.split(",") if name in own}
    for name, group in own.items():
        parts = [part for part in group.split("/") if part]
        for depth in range(len(parts) + 1):
            yield 1 if name else 2, ROOT.joinpath(name, *parts[:depth])
