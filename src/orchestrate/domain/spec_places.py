"""Where something of the spec is written, and what every part that people name has in common."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Final

from pydantic import PrivateAttr

from orchestrate.domain.spec_types import Model
from orchestrate.values import dataclass

FILE_NAME: Final = "migrations.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is written; lines and columns count from 1."""

    file: str
    """Relative to the folder of `migrations.yaml`, with `/`."""
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE: Final = Place(file=FILE_NAME, line=1, column=1)


class Declared(Model):
    """A mapping that knows where it and its keys are written."""

    _source: Place = PrivateAttr(default=NOWHERE)
    _keys: Mapping[str, Place] = PrivateAttr(default_factory=dict)
    _folder: pathlib.Path = PrivateAttr(default_factory=pathlib.Path)

    def placed(self, source: Place, keys: Mapping[str, Place], folder: pathlib.Path) -> None:
        """Remember where this is written; for the spec's reader alone, once."""
        self._source, self._keys, self._folder = source, keys, folder

    @property
    def source(self) -> Place:
        """Return where this is written: for an environment its `name`."""
        return self._source

    @property
    def folder(self) -> pathlib.Path:
        """Return the folder of `migrations.yaml`, which relative paths are relative to."""
        return self._folder

    def where(self, key: str) -> str:
        """Return `file:line:column` of a key, or of the whole where it is not written."""
        return str(self._keys.get(key, self._source))

    def declares(self, key: str) -> bool:
        """Say whether the key is written, here or in `defaults`."""
        return key in self._keys
