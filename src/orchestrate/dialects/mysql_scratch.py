"""Scratch databases on MariaDB and MySQL: a schema with the target's own character set."""

from __future__ import annotations

from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.scratch import Rows, ScratchDatabase

_DEFAULTS: Final = """\
SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()"""


def _create(name: str, facts: Rows) -> tuple[str, ...]:
    characters, collation = (text(value) for value in facts["defaults"][0])
    return (f"CREATE DATABASE `{name}` CHARACTER SET {characters} COLLATE {collation}",)


def _drop(name: str) -> tuple[str, ...]:
    return (f"DROP DATABASE IF EXISTS `{name}`",)


SCRATCH: Final = ScratchDatabase(facts={"defaults": _DEFAULTS}, create=_create, drop=_drop)
