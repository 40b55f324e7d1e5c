"""Figures as people read them."""


def score(value: float) -> str:
    """A score with four decimals, or four significant digits where that shows less (small losses, large ones).

    Below a million as people write it: an error of 45678 in a price.
    """
    if 0.01 <= abs(value) < 100 or value == 0:
        return f"{value:.4f}"
    return f"{value:.0f}" if 9999.5 <= abs(value) < 1e6 else f"{value:.4g}"


def amount(value: float) -> str:
    """A number with six significant digits, and from a million on with all that are whole: 7700000."""
    return f"{value:.0f}" if 999_999.5 <= abs(value) < 1e15 else f"{value:.6g}"


def deviation(value: float) -> str:
    """A standard deviation with four decimals, or significant digits where these say less (tiny ones, large ones)."""
    if value < 0.001:
        return f"{value:.2g}"
    return f"{value:.4f}" if value < 100 else f"{value:.4g}"


def memory(count: int) -> str:
    """Bytes of memory or files, in MiB or GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def duration(seconds: float) -> str:
    """A time span in at most two units: `0.8 ms`, `4.2 s`, `38 s`, `12 min 05 s`, `1 h 05 min`."""
    if 0 < seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 epoch`, `2 epochs`; `many` where it is not made by an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
