"""The name that was probably meant: what a message about an unknown one offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like it, case and `_` or `-` aside, if one is."""
    import difflib  # noqa: PLC0415 - only a mistake needs it

    folded = {_folded(other): other for other in known}
    near = difflib.get_close_matches(_folded(name), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(name: str, known: Sequence[str], *, cutoff: float = 0.6) -> str | None:
    """Return a hint with the nearest name, or with all of them."""
    near = nearest(name, known, cutoff=cutoff)
    if near:
        return f"did you mean `{near}`?"
    return f"known here: {', '.join(f'`{other}`' for other in known)}" if known else None


def _folded(name: str) -> str:
    return name.casefold().replace("_", "-")
