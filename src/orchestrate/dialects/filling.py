"""How tables are filled with generated rows: what they take, and the statements. Texts only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from orchestrate.dialects.canonical import optional, text
from orchestrate.domain.table_shapes import (
    ColumnShape,
    Reference,
    SqlText,
    TableName,
    TableShape,
    Value,
    Values,
)
from orchestrate.values import dataclass

Rows = Mapping[str, Sequence[Sequence[object]]]

AT_RANDOM: Final = re.compile(r"uuid|random", re.IGNORECASE)
"""What a default is called that gives each row another value."""
UUID_TEXT: Final = 36
_NAME: Final = re.compile(r"""["`]([^"`]+)["`]|(\w+)""")
_STATEMENT_ROWS: Final = 500
_SMALL: Final = Decimal("0.001")
"""How far numbers are apart whose type knows no smallest difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What one dialect knows of it."""

    queries: Mapping[str, str]
    """Named, of the catalogue; read only."""
    shapes: Callable[[Rows, str], tuple[TableShape, ...]]
    """What tables take, by the rows of the queries and the version table, which is left out."""
    written: Callable[[str, ColumnShape | None], str]
    """An expression of what stands in a quoted column as SQL text."""
    truth: tuple[str, str]
    """Yes and no."""
    binary: str
    """A literal of bytes, with `{hex}`."""
    quote: str
    no_columns: str
    """What follows the table's name where a row gives no column a value."""
    backslashes: bool = False
    """Whether a backslash in a literal means something."""

    def counts(self, shapes: Sequence[TableShape]) -> Mapping[str, str]:
        """Return a query for each table, by its number: whether it has a row."""
        return {
            str(number): f"SELECT 1 FROM {self.table(one.name)} LIMIT 1"  # noqa: S608  (quoted)
            for number, one in enumerate(shapes)
        }

    def keys(self, shape: TableShape, columns: Sequence[str], most: int) -> str:
        """Return a query for what stands in columns, as SQL text; rows with nulls are left out."""
        names = [self.name(one) for one in columns]
        told = ", ".join(
            self.written(quoted, shape.column(name))
            for name, quoted in zip(columns, names, strict=True)
        )
        there = " AND ".join(f"{one} IS NOT NULL" for one in names)
        return (
            f"SELECT {told} FROM {self.table(shape.name)} WHERE {there}"  # noqa: S608  (quoted)
            f" ORDER BY {', '.join(names)} LIMIT {most}"
        )

    def insert(
        self, name: TableName, columns: Sequence[str], rows: Sequence[Sequence[Value]]
    ) -> tuple[str, ...]:
        """Return the statements that put rows into a table, all of them or none."""
        into = f"INSERT INTO {self.table(name)}"
        if not columns:
            return ("BEGIN", *(f"{into} {self.no_columns}" for _ in rows), "COMMIT")
        head = f"{into} ({', '.join(self.name(one) for one in columns)}) VALUES "
        told = [f"({', '.join(self.literal(one) for one in row)})" for row in rows]
        parts = [
            head + ", ".join(told[start : start + _STATEMENT_ROWS])
            for start in range(0, len(told), _STATEMENT_ROWS)
        ]
        return ("BEGIN", *parts, "COMMIT")

    def table(self, name: TableName) -> str:
        """Return a table's name as SQL takes it."""
        return ".".join(self.name(part) for part in name if part is not None)

    def name(self, name: str) -> str:
        """Return a name as SQL takes it."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def literal(self, value: Value) -> str:
        """Return a value as SQL text."""
        match value:
            case None:
                return "NULL"
            case bool():
                return self.truth[0 if value else 1]
            case SqlText():
                return value.text
            case bytes():
                return self.binary.replace("{hex}", value.hex())
            case str():
                told = value.replace("\\", "\\\\") if self.backslashes else value
                return "'" + told.replace("'", "''") + "'"
            case _:
                return str(value)


# --- types ----------------------------------------------------------------------------------------


def type_parts(told: str) -> tuple[str, tuple[int, ...]]:
    """Return a type's name in lower case, and its numbers: `numeric(10,2)`."""
    name, _, rest = told.partition("(")
    numbers = tuple(int(one) for one in re.findall(r"\d+", rest.partition(")")[0]))
    return " ".join(name.lower().split()), numbers


def whole(bits: int, *, unsigned: bool = False) -> Values:
    """Return the whole numbers of so many bits."""
    if unsigned:
        return Values(kind="whole", low=Decimal(0), high=Decimal(2**bits - 1))
    half = 2 ** (bits - 1)
    return Values(kind="whole", low=Decimal(-half), high=Decimal(half - 1))


def number(numbers: Sequence[int], *, unsigned: bool = False) -> Values:
    """Return the numbers of `numeric(precision, scale)`; without numbers there is no limit."""
    if not numbers:
        return Values(kind="number", low=Decimal(0) if unsigned else None, unit=_SMALL)
    precision, scale = numbers[0], numbers[1] if len(numbers) > 1 else 0
    unit = Decimal(1).scaleb(-scale)
    high = Decimal(10) ** (precision - scale) - unit
    return Values(kind="number", low=Decimal(0) if unsigned else -high, high=high, unit=unit)


def letters(numbers: Sequence[int], *, fixed: bool = False) -> Values:
    """Return texts of a length; where only an UUID is exactly that long, those."""
    length = numbers[0] if numbers else None
    if length == UUID_TEXT or (fixed and length == UUID_TEXT - 4):
        return Values(kind="uuid", length=length)
    return Values(kind="text", length=length)


def choice(*choices: Value) -> Values:
    """Return these values, and no others."""
    return Values(kind="choice", choices=choices)


REAL: Final = Values(kind="number", low=Decimal(-(10**6)), high=Decimal(10**6), unit=_SMALL)
TRUTH: Final = Values(kind="truth")
DATE: Final = Values(kind="date")
TIME: Final = Values(kind="time")
MOMENT: Final = Values(kind="moment")
UUID: Final = Values(kind="uuid", length=UUID_TEXT)
JSON: Final = choice("{}")


# --- rows of catalogues to shapes -----------------------------------------------------------------


def grouped(
    rows: Sequence[Sequence[object]],
) -> dict[tuple[TableName, str], list[list[str | None]]]:
    """Return rows of schema, table, name and more by these three, in the order they came."""
    found: dict[tuple[TableName, str], list[list[str | None]]] = {}
    for schema, table, name, *more in rows:
        key = ((optional(schema), text(table)), text(name))
        found.setdefault(key, []).append([optional(one) for one in more])
    return found


def keys_of(
    rows: Sequence[Sequence[object]], columns: Mapping[TableName, Sequence[str]]
) -> dict[TableName, list[tuple[str, ...]]]:
    """Return the columns of unique keys, from rows of schema, table, key, column or expression.

    Of an expression, those that it mentions: whatever it makes of them, they are the ones to vary.
    """
    found: dict[TableName, list[tuple[str, ...]]] = {}
    for (table, _), parts in grouped(rows).items():
        known = columns.get(table, ())
        names: dict[str, None] = {}
        for (told,) in parts:
            mentioned = [told] if told is not None and told in known else _mentioned(told or "")
            names.update(dict.fromkeys(one for one in mentioned if one in known))
        if names:
            found.setdefault(table, []).append(tuple(names))
    return found


def _mentioned(expression: str) -> list[str]:
    return [found[0] or found[1] for found in _NAME.findall(expression)]


def references_of(rows: Sequence[Sequence[object]]) -> dict[TableName, list[Reference]]:
    """Return foreign keys, from rows of schema, table, name, column, schema, table, column."""
    found: dict[TableName, list[Reference]] = {}
    for (table, _), parts in grouped(rows).items():
        found.setdefault(table, []).append(
            Reference(
                columns=tuple(str(one[0]) for one in parts),
                table=(parts[0][1], str(parts[0][2])),
                targets=tuple(str(one[3]) for one in parts),
            )
        )
    return found


def put_together(
    tables: Mapping[TableName, tuple[str, str | None]],
    columns: Mapping[TableName, Sequence[ColumnShape]],
    keys: Mapping[TableName, Sequence[tuple[str, ...]]],
    references: Mapping[TableName, Sequence[Reference]],
) -> tuple[TableShape, ...]:
    """Return the tables, each with what is its own; they come as shown, and why one is odd."""
    return tuple(
        TableShape(
            name=name,
            shown=shown,
            columns=tuple(_of_key(one, keys.get(name, ())) for one in columns.get(name, ())),
            keys=tuple(keys.get(name, ())),
            references=tuple(_shown(one, tables) for one in references.get(name, ())),
            odd=odd,
        )
        for name, (shown, odd) in tables.items()
    )


def _shown(reference: Reference, tables: Mapping[TableName, tuple[str, str | None]]) -> Reference:
    otherwise = ".".join(part for part in reference.table if part)
    return replace(reference, shown=tables.get(reference.table, (otherwise, None))[0])


def _of_key(column: ColumnShape, keys: Sequence[tuple[str, ...]]) -> ColumnShape:
    """Return a column without its default where the default alone would be all of a key.

    Every row would have the same; one that the server makes anew for each is another matter.
    """
    if column.has_default and not column.distinct and (column.name,) in keys:
        return replace(column, has_default=False)
    return column
