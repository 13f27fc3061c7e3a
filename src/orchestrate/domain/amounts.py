"""Numbers of bytes as people say them."""

from __future__ import annotations

from typing import Final

_KIB: Final = 1024


def bytes_said(number: int) -> str:
    """Return a number of bytes in the largest binary unit that leaves a whole figure."""
    value, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= _KIB and len(units) > 1:
        value, units = value / _KIB, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
