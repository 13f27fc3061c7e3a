"""Alembic's parts are its own, with or without the rest of it."""

from __future__ import annotations

import subprocess
import sys

import alembic.runtime.migration
import alembic.script.revision
import pytest

from orchestrate.planning import alembic_parts


def test_a_chain_does_not_import_all_of_alembic() -> None:
    """Also a warning: an Alembic with which this no longer works would only be slow."""
    code = (
        "import sys; from orchestrate.planning import alembic_parts, chain; "
        "print(alembic_parts.APART, 'alembic' in sys.modules, 'mako' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["True", "False", "False"]


def test_they_come_from_alembics_own_files() -> None:
    theirs = alembic.script.revision.__file__
    assert alembic_parts.script_revision.__file__ == theirs
    assert alembic_parts.script_revision.RevisionMap is not alembic.script.revision.RevisionMap
    assert alembic_parts.script_directory_class().__name__ == "ScriptDirectory"


def test_what_cannot_be_taken_apart_is_imported_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AttributeError("another Alembic")

    monkeypatch.setattr(alembic_parts, "_prepare", fail)
    name, revision, migration = alembic_parts._import()
    assert name == "alembic"
    assert (revision, migration) == (alembic.script.revision, alembic.runtime.migration)
