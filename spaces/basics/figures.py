"""Figures as people read them."""


def score(value: float) -> str:
    """A score with four decimals, or four significant digits where that shows less (small losses, large ones)."""
    return f"{value:.4f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.4g}"


def memory(count: int) -> str:
    """Bytes of memory or files, in MiB or GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
