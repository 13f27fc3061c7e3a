"""The pages about known troubles: `docs/troubles/` of the checkout, or its copy in the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orchestrate

_PACKAGE: Final = Path(orchestrate.__file__).parent
_FOLDERS: Final = (
    _PACKAGE.parents[1] / "docs" / "troubles",  # an editable installation
    _PACKAGE / "docs" / "troubles",
)


def read_page(name: str) -> str:
    """Return the text of a page of `PAGES`."""
    for folder in _FOLDERS:
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    msg = f"the page {name} is not installed"
    raise FileNotFoundError(msg)
