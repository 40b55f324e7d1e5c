"""What the processor of this machine is good at."""

from functools import cache
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
# Of x86, and of Arm.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@cache
def multiplies_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor has instructions for bfloat16; without them it is several times slower than float32.

    Args:
        cpu_info: Where Linux says what the processor can do; a system without that file has no such instructions as
            far as anybody knows.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = (line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features")))
    return not _BFLOAT16.isdisjoint(next(flags, ()))
