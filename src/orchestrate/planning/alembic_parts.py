"""The parts of Alembic that walk revisions, imported without the rest of it (ADR 22).

`import alembic` brings every dialect that SQLAlchemy and Alembic know, templates and plugins: a
tenth of a second of each command, for two modules that need none of it. So Alembic's own files are
imported a second time under another name, where the packages around them are empty. What else this
process imports as `alembic` is untouched by it, and where a version of Alembic does not agree with
this, that is imported as everybody does.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

__all__ = ["APART", "HeadMaintainer", "RevisionStep", "script_directory_class", "script_revision"]

_ALIAS: Final = "orchestrate_alembic"
_PACKAGES: Final = ("script", "runtime")
"""Packages whose modules are wanted, and not what their `__init__` imports."""


class _Absent(ModuleType):
    """In place of a module whose functions nobody calls who walks revisions."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def _package(name: str, path: Sequence[str]) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = list(path)
    sys.modules[name] = module
    return module


def _prepare() -> None:
    """Make the packages under the other name. Raises ImportError."""
    found = importlib.util.find_spec("alembic")
    if found is None or not found.submodule_search_locations:
        raise ImportError("alembic")
    roots = list(found.submodule_search_locations)
    whole = _package(_ALIAS, roots)
    for name in _PACKAGES:
        setattr(whole, name, _package(f"{_ALIAS}.{name}", [f"{root}/{name}" for root in roots]))
    ddl, files = f"{_ALIAS}.ddl", f"{_ALIAS}.util.pyfiles"
    sys.modules[ddl] = whole.ddl = _Absent(ddl)  # type: ignore[attr-defined]
    sys.modules[files] = _Absent(files)


def _import() -> tuple[str, ModuleType, ModuleType]:
    """Return the name that Alembic is imported by, and its two modules."""
    try:
        _prepare()
        return (
            _ALIAS,
            importlib.import_module(f"{_ALIAS}.script.revision"),
            importlib.import_module(f"{_ALIAS}.runtime.migration"),
        )
    except Exception:  # noqa: BLE001  (whatever a later Alembic does differently)
        return (
            "alembic",
            importlib.import_module("alembic.script.revision"),
            importlib.import_module("alembic.runtime.migration"),
        )


if TYPE_CHECKING:
    from alembic.runtime.migration import HeadMaintainer, RevisionStep
    from alembic.script import ScriptDirectory
    from alembic.script import revision as script_revision

    _NAME: str
else:
    _NAME, script_revision, _migration = _import()
    HeadMaintainer, RevisionStep = _migration.HeadMaintainer, _migration.RevisionStep

APART: Final = _NAME == _ALIAS
"""Whether it was imported without the rest."""


def script_directory_class() -> type[ScriptDirectory]:
    """Return Alembic's `ScriptDirectory`, which goes with the other parts."""
    found: type[ScriptDirectory] = importlib.import_module(f"{_NAME}.script.base").ScriptDirectory
    return found
