"""Rows made up for tables that have none: the same schema always gives the same rows. Pure.

They are what the schema allows, no more: columns that may be null are so now and then, and where
nothing forbids it a value stands in several rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

from orchestrate.domain.table_shapes import (
    ColumnShape,
    Reference,
    TableName,
    TableShape,
    Value,
)
from orchestrate.planning.generated_values import room, value
from orchestrate.values import dataclass

Keys = Mapping[TableName, Sequence[Mapping[str, Value]]]
"""Rows of tables that have some, as far as foreign keys lead to their columns."""

_NULL_EVERY: Final = 5
_FEW: Final = 20
"""A column with at most so many values has all of them soon; of others each is in two rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedRows:
    """What is put into one table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Unfillable:
    """Why no row can be made."""

    reason: str


def in_order(shapes: Iterable[TableShape]) -> Iterator[TableShape]:
    """Yield tables so that what foreign keys lead to comes first, as far as that is possible.

    In a circle, a table whose keys into it may be null comes first.
    """
    left = {one.name: one for one in sorted(shapes, key=lambda one: one.shown)}
    while left:
        ready = [one for one in left.values() if not _waits(one, left, optional=True)]
        if not ready:
            ready = [one for one in left.values() if not _waits(one, left, optional=False)][:1]
        for one in ready or list(left.values())[:1]:
            del left[one.name]
            yield one


def _waits(shape: TableShape, left: Mapping[TableName, object], *, optional: bool) -> bool:
    return any(
        one.table in left and one.table != shape.name and (optional or not _may_be_null(shape, one))
        for one in shape.references
    )


def rows_for(
    shape: TableShape, keys: Keys, count: int, *, sparse: bool = False
) -> GeneratedRows | Unfillable:
    """Return at most `count` rows for an empty table.

    With `sparse` only what has to be given is: defaults and nulls are in every check's favour.
    """
    if shape.odd:
        return Unfillable(shape.odd)
    for one in shape.references:
        if not _may_be_null(shape, one) and one.table != shape.name and not keys.get(one.table):
            return Unfillable(f"it needs rows of {one.shown}, which has none")
    given = _given(shape, sparse=sparse)
    for column in given:
        if not _led(shape, column.name) and (column.values is None or not room(column.values)):
            return Unfillable(f"no value is known for {column.name}, which is {column.type}")
    maker = _Maker(shape=shape, keys=keys, given=given, count=count, sparse=sparse)
    rows = tuple(maker.rows())
    if not rows:
        return Unfillable("what its keys refer to does not go together")
    return GeneratedRows(columns=tuple(one.name for one in given), rows=rows)


def _led(shape: TableShape, column: str) -> bool:
    """Tell whether a foreign key says what is in a column."""
    return any(column in one.columns for one in shape.references)


def _may_be_null(shape: TableShape, reference: Reference) -> bool:
    """Tell whether a row may lead nowhere: one column that is null is enough."""
    columns = [shape.column(name) for name in reference.columns]
    return any(one is not None and not one.required for one in columns)


def _given(shape: TableShape, *, sparse: bool) -> tuple[ColumnShape, ...]:
    """Return the columns that rows give a value to; the server knows one for the others."""
    unique = {name for key in shape.keys for name in key}
    found = []
    for column in shape.columns:
        led = _led(shape, column.name)
        free = not column.required or column.has_default
        if column.computed or (column.distinct and not led):
            continue
        if not led and column.values is None and free:
            continue
        bound = column.name in unique and column.required
        if sparse and free and not bound and not (led and column.required):
            continue
        found.append(column)
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class _Maker:
    """One table at work."""

    shape: TableShape
    keys: Keys
    given: tuple[ColumnShape, ...]
    count: int
    sparse: bool
    strides: dict[str, int] = field(default_factory=dict)
    """How many rows a column's value stays the same, of columns in keys."""

    def rows(self) -> Iterator[tuple[Value, ...]]:
        """Yield rows; of those that a unique key tells alike, the first."""
        self._stride()
        seen: list[set[tuple[Value, ...]]] = [set() for _ in self._own_keys()]
        for number in range(self.count):
            row = self._row(number)
            if row is None:
                continue
            tuples = [tuple(row[name] for name in key) for key in self._own_keys()]
            if any(
                one in known for one, known in zip(tuples, seen, strict=True) if None not in one
            ):
                continue
            for one, known in zip(tuples, seen, strict=True):
                known.add(one)
            yield tuple(row[one.name] for one in self.given)

    def _own_keys(self) -> list[tuple[str, ...]]:
        """Return the keys of which all columns are given: in others the server makes a value."""
        names = {one.name for one in self.given}
        return [key for key in self.shape.keys if set(key) <= names]

    def _stride(self) -> None:
        """Let the columns of each key count like the digits of a number.

        Where one of them has enough values alone, that is already so.
        """
        for key in self._own_keys():
            rooms = {name: self._room(name) for name in key}
            if any(rooms[name] >= self.count for name in key if self.strides.get(name, 1) == 1):
                for name in key:
                    self.strides.setdefault(name, 1)
                continue
            product = 1
            for name in key:
                if name not in self.strides:
                    self.strides[name] = product
                product *= max(1, rooms[name])

    def _room(self, name: str) -> int:
        for one in self.shape.references:
            if name in one.columns:
                return len(self.keys.get(one.table, ()))
        column = self.shape.column(name)
        return room(column.values) if column and column.values else 0

    def _row(self, number: int) -> dict[str, Value] | None:
        """Return one row by column; None where foreign keys do not go together."""
        row: dict[str, Value] = {}
        own: list[Reference] = []
        # The widest first: what two of them share it decides.
        for one in sorted(self.shape.references, key=lambda one: -len(one.columns)):
            if one.table == self.shape.name:
                own.append(one)
            elif not self._refer(row, one, number):
                return None
        for position, column in enumerate(self.given):
            if column.name not in row and not any(column.name in one.columns for one in own):
                row[column.name] = self._plain(column, number, position)
        for one in own:
            if not self._refer_to_itself(row, one):
                return None
        return row

    def _refer(self, row: dict[str, Value], reference: Reference, number: int) -> bool:
        """Choose the row that a foreign key leads to; tell whether there is one, or need be none.

        Columns that the widest key has decided stay as they are.
        """
        pairs = list(zip(reference.columns, reference.targets, strict=True))
        optional = _may_be_null(self.shape, reference)
        wanted = [
            one
            for one in self.keys.get(reference.table, ())
            if all(one[target] == row[name] for name, target in pairs if name in row)
        ]
        free = not any(name in self.strides for name in reference.columns)
        if optional and (self.sparse or not wanted or (free and self._is_null(number, 0))):
            for name in reference.columns:
                column = self.shape.column(name)
                if name not in row and column is not None and not column.required:
                    row[name] = None
            return any(row.get(name, 0) is None for name in reference.columns)
        if not wanted:
            return False
        stride = min(self.strides.get(name, 1) for name in reference.columns)
        chosen = wanted[(number // stride) % len(wanted)]
        row.update((name, chosen[target]) for name, target in pairs)
        return True

    def _refer_to_itself(self, row: dict[str, Value], reference: Reference) -> bool:
        """Let a row lead nowhere, or else to itself; tell whether it can."""
        for name, target in zip(reference.columns, reference.targets, strict=True):
            column = self.shape.column(name)
            if name in row:
                continue
            if column is not None and not column.required:
                row[name] = None
            elif target in row:
                row[name] = row[target]
            else:
                return False
        return True

    def _plain(self, column: ColumnShape, number: int, position: int) -> Value:
        """Return what stands in a column of no foreign key."""
        unique = column.name in self.strides
        if column.values is None:
            return None
        if not column.required and not unique and self._is_null(number, position):
            return None
        large = room(column.values)
        if unique:
            index = number // self.strides[column.name]
        else:
            index = number if large <= _FEW else number // 2
        return value(column.values, column.name, index % large)

    @staticmethod
    def _is_null(number: int, position: int) -> bool:
        return (number + position) % _NULL_EVERY == _NULL_EVERY - 1
