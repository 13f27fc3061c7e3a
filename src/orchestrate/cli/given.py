"""Values of options that may not be empty: an unset variable of a script is no destination."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

_EMPTY: Final = "is empty, as from a variable that is not set"


class _Text(click.ParamType[str]):
    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is; refuse one with nothing in it."""
        if not str(value).strip():
            self.fail(_EMPTY, param, ctx)
        return str(value)


class _Place(click.Path):
    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the path; the empty one would be the folder where we are."""
        if not str(value).strip():
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


TEXT: Final = _Text()
PLACE: Final = _Place(path_type=Path)
