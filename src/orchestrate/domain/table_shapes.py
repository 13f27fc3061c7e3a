"""What a table takes: its columns, keys and foreign keys, as far as rows made up for it need."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from orchestrate.values import dataclass

ValueKind = Literal[
    "whole", "number", "text", "truth", "choice", "date", "time", "moment", "uuid", "bytes"
]


@dataclass(frozen=True, slots=True)
class SqlText:
    """A value that is SQL already, as the server wrote it."""

    text: str


Value = None | bool | int | str | bytes | Decimal | SqlText


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Which values a column takes."""

    kind: ValueKind
    low: Decimal | None = None
    """Of `whole` and `number`: the smallest; None: there is none."""
    high: Decimal | None = None
    unit: Decimal = Decimal(1)
    """How far two of them are apart at least."""
    length: int | None = None
    """Of `text`, `uuid` and `bytes`: at most that many; None: any."""
    shortest: int = 0
    choices: tuple[Value, ...] = ()
    """All there are, of `choice`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShape:
    """One column."""

    name: str
    type: str
    """As the server calls it, for people."""
    values: Values | None
    """None: of its type no value is known."""
    required: bool
    """NOT NULL."""
    has_default: bool = False
    distinct: bool = False
    """The server gives each row another value: a counter, or a random one."""
    computed: bool = False
    """It can never be given a value."""


TableName = tuple[str | None, str]
"""Schema, where the server has such, and table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key."""

    columns: tuple[str, ...]
    table: TableName
    targets: tuple[str, ...]
    """Columns of that table, one for each of `columns`."""
    shown: str = ""
    """That table as people say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """One table."""

    name: TableName
    shown: str
    """As people say it: the schema that goes without saying is left out."""
    columns: tuple[ColumnShape, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    """Columns of primary key, unique constraints and unique indexes."""
    references: tuple[Reference, ...] = ()
    odd: str | None = None
    """Why no rows can be made for a table of its kind."""

    def column(self, name: str) -> ColumnShape | None:
        """Return the column of a name."""
        return next((one for one in self.columns if one.name == name), None)
