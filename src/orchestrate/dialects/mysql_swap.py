"""MariaDB: what the two schemas of an exchange hold, and the texts that have it change places.

Why it goes this way stands in `mysql_exchange`.
"""

# ruff: noqa: S608  (texts are put together from constants, and names quoted in this module)

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.exchange import REPLACED, Schemas, Swap
from orchestrate.domain.diagnosis import Rows
from orchestrate.values import dataclass

BEGUN: Final = "orchestrate_restoring"
DONE: Final = "orchestrate_restored"
"""The sign's two names: the tables are the copy's; all is."""
LOCK: Final = "CONCAT('orchestrate-restore-', LEFT(SHA2(DATABASE(), 256), 32))"
"""Held by whoever is exchanging the schema's tables or making its programs: the client of a process
that was killed goes on, and nobody may come in between."""
_LOCK_SECONDS: Final = 20
_KEPT_TABLES: Final = "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')"
_KEY: Final = re.compile(
    r"^\s+CONSTRAINT `(?P<name>(?:[^`]|``)+)` (?P<key>FOREIGN KEY .+?),?$", re.MULTILINE
)


def contents_of(schemas: Schemas) -> Mapping[str, str]:
    """Return queries for all that has a name, by schema."""
    places = f"(DATABASE(), '{schemas.scratch}')"
    return {
        "schema": "SELECT DATABASE(), DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
        "WHERE SCHEMA_NAME = DATABASE()",
        "tables": "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA IN {places} AND {_KEPT_TABLES} ORDER BY TABLE_SCHEMA, TABLE_NAME",
        "views": "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS "
        f"WHERE TABLE_SCHEMA IN {places} ORDER BY TABLE_SCHEMA, TABLE_NAME",
        "triggers": "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE "
        f"FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN {places} "
        "ORDER BY TRIGGER_SCHEMA, TRIGGER_NAME",
        "keys": "SELECT CONSTRAINT_SCHEMA, CONSTRAINT_NAME, TABLE_NAME "
        "FROM information_schema.REFERENTIAL_CONSTRAINTS "
        f"WHERE CONSTRAINT_SCHEMA IN {places} ORDER BY CONSTRAINT_SCHEMA, CONSTRAINT_NAME",
        "routines": "SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME "
        f"FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN {places} "
        "ORDER BY ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME",
        "events": "SELECT EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS "
        f"WHERE EVENT_SCHEMA IN {places} ORDER BY EVENT_SCHEMA, EVENT_NAME",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the target (old) and the scratch schema (new) hold."""

    target: str
    collation: str
    old_tables: tuple[str, ...]
    new_tables: tuple[str, ...]
    old_views: tuple[str, ...]
    new_views: tuple[str, ...]
    new_triggers: tuple[tuple[str, str], ...]
    old_routines: tuple[tuple[str, str], ...]
    old_events: tuple[str, ...]
    new_programs: bool
    staying: Mapping[str, str]
    """Old tables with triggers, and what they are called until they are dropped."""
    hiding: Mapping[str, str]
    """Old views with the name of a new table, and what they are called until they are dropped."""
    clashing: Mapping[str, tuple[str, ...]]
    """New tables with foreign keys that have the name of one that stays, and these names."""

    @classmethod
    def of(cls, rows: Rows, schemas: Schemas) -> Contents:
        """Return them by the rows of `contents_of`."""
        target, collation = (text(value) for value in rows["schema"][0])

        def there(name: str, schema: str) -> list[tuple[str, ...]]:
            told = ((text(cell) for cell in row) for row in rows[name])
            return [tuple(rest) for first, *rest in told if first == schema]

        triggered = {table for _, table in there("triggers", target)}
        old_tables, old_views = _names(there("tables", target)), _names(there("views", target))
        new_tables = _names(there("tables", schemas.scratch))
        staying = [name for name in old_tables if name in triggered]
        hiding = [name for name in old_views if name in new_tables]
        called = {
            name: f"{REPLACED}{schemas.token}_{number}"
            for number, name in enumerate([*staying, *hiding])
        }
        kept = {
            name.lower()
            for name, table in there("keys", target)
            # Such a name goes along when its table gets another one.
            if table in staying and not re.fullmatch(re.escape(table) + r"_ibfk_\d+", name)
        }
        clashing: dict[str, tuple[str, ...]] = {}
        for name, table in there("keys", schemas.scratch):
            if name.lower() in kept:
                clashing[table] = (*clashing.get(table, ()), name)
        new_triggers = tuple((name, table) for name, table in there("triggers", schemas.scratch))
        others = there("routines", schemas.scratch) + there("events", schemas.scratch)
        return cls(
            target=target,
            collation=collation,
            old_tables=old_tables,
            new_tables=new_tables,
            old_views=old_views,
            new_views=_names(there("views", schemas.scratch)),
            new_triggers=new_triggers,
            old_routines=tuple((kind, name) for kind, name in there("routines", target)),
            old_events=_names(there("events", target)),
            new_programs=bool(new_triggers or others),
            staying={name: called[name] for name in staying},
            hiding={name: called[name] for name in hiding},
            clashing=clashing,
        )


def _names(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for (name,) in rows)


@dataclass(frozen=True, slots=True)
class _Key:
    """A foreign key that has another name for a while."""

    table: str
    name: str
    called: str
    definition: str

    def renamed(self, place: str, *, back: bool) -> str:
        """Return the statement that gives it the other name, or its own back.

        With `FOREIGN_KEY_CHECKS = 0` no row is read. The copy names its index itself, which stays.
        """
        now, then = (self.called, self.name) if back else (self.name, self.called)
        return (
            f"ALTER TABLE {place} DROP FOREIGN KEY {quoted(now)}, "
            f"ADD CONSTRAINT {quoted(then)} {self.definition}"
        )


def swap(there: Contents, shapes: Rows, schemas: Schemas, *, run: str) -> Swap:
    """Return the texts; the one statement moves the old out before it moves the new in."""
    keys = [_Key(*one) for one in _clashing_keys(there, shapes, schemas)]
    sign = f"{run} {schemas.token}"
    rename = [
        "SET FOREIGN_KEY_CHECKS = 0",
        *(f"DROP TRIGGER {placed(schemas.scratch, name)}" for name, _ in there.new_triggers),
        *(key.renamed(placed(schemas.scratch, key.table), back=False) for key in keys),
        *_signed(there, schemas, sign),
        f"RENAME TABLE {', '.join(_moves(there, schemas))}",
    ]
    before = [
        "SET FOREIGN_KEY_CHECKS = 0",
        *(f"DROP TABLE IF EXISTS {quoted(name)}" for name in there.staying.values()),
        *(key.renamed(quoted(key.table), back=True) for key in keys),
        *(
            f"DROP VIEW IF EXISTS {quoted(there.hiding.get(name, name))}"
            for name in there.old_views
        ),
        *(f"DROP {kind} IF EXISTS {quoted(name)}" for kind, name in there.old_routines),
        *(f"DROP EVENT IF EXISTS {quoted(name)}" for name in there.old_events),
    ]
    after = [f"RENAME TABLE {BEGUN} TO {DONE}"]
    return Swap(
        rename=_guard() + _script(rename),
        before_programs=_guard(sign) + _script(before),
        after_programs=_script(after),
    )


def _clashing_keys(
    there: Contents, shapes: Rows, schemas: Schemas
) -> Iterator[tuple[str, str, str, str]]:
    number = 0
    for table, names in there.clashing.items():
        found = {
            one["name"].replace("``", "`"): one["key"]
            for one in _KEY.finditer(text(shapes[table][0][1]))
        }
        for name in names:
            yield table, name, f"{REPLACED}{schemas.token}_key_{number}", found[name]
            number += 1


def _signed(there: Contents, schemas: Schemas, comment: str) -> Iterator[str]:
    """Make the sign. It keeps the schema's collation besides, for `tidy`."""
    sign = placed(schemas.scratch, BEGUN)
    yield f"DROP TABLE IF EXISTS {sign}"
    options = f"ENGINE = InnoDB COLLATE {there.collation} COMMENT {_literal(comment)}"
    yield f"CREATE TABLE {sign} (id INT) {options}"


def _moves(there: Contents, schemas: Schemas) -> Iterator[str]:
    for name, called in there.hiding.items():
        yield f"{placed(there.target, name)} TO {placed(there.target, called)}"
    for name in there.old_tables:
        stays = there.staying.get(name)
        away = placed(there.target, stays) if stays else placed(schemas.parked, name)
        yield f"{placed(there.target, name)} TO {away}"
    for name in [one for one in there.new_tables if one != BEGUN] + [BEGUN]:
        yield f"{placed(schemas.scratch, name)} TO {placed(there.target, name)}"


def _guard(sign: str | None = None) -> bytes:
    """Return what ends a script unless it is alone, and the tables are still those it is for."""
    told = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT ="
    lines = [
        "DELIMITER //",
        "BEGIN NOT ATOMIC",
        f"  IF COALESCE(GET_LOCK({LOCK}, {_LOCK_SECONDS}), 0) <> 1 THEN",
        f"    {told} 'an earlier restore is still at work on the server'; END IF;",
    ]
    if sign is not None:
        lines += [
            "  IF NOT EXISTS (SELECT 1 FROM information_schema.TABLES",
            f"    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{BEGUN}'",
            f"    AND TABLE_COMMENT = {_literal(sign)}) THEN",
            f"    {told} 'another restore has exchanged the tables meanwhile'; END IF;",
        ]
    return "\n".join([*lines, "END//", "DELIMITER ;", ""]).encode()


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "").replace("'", "''") + "'"


def _script(statements: Sequence[str]) -> bytes:
    return "".join(f"{one};\n" for one in statements).encode()


def placed(schema: str, name: str) -> str:
    """Return a name within a schema, quoted."""
    return f"{quoted(schema)}.{quoted(name)}"


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return "`" + name.replace("`", "``") + "`"
