"""What a revision file says, read as text: nothing of it was imported or run."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrate.domain.revisions import Downgrade
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import, anywhere in the file."""

    module: str
    """In full; begins with dots where it is relative."""
    names: tuple[str, ...]
    """What is taken from it; empty for `import module`."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeText:
    """A column's type as it is written: `sa.String(50)` is `String`, `(50,)`."""

    name: str
    arguments: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCall:
    """A call of one of Alembic's operations in `upgrade()`: `op.drop_column("orders", "note")`."""

    name: str
    texts: tuple[str, ...]
    """Every literal text among its arguments, at any depth, in their order."""
    arguments: tuple[str | None, ...]
    """Positional arguments that are literal texts; None for others."""
    types: tuple[tuple[str, TypeText], ...]
    """Keyword arguments that are types of columns: `type_`, `existing_type`."""
    batch: str | None
    """The table of the `batch_alter_table` that it is made in."""
    autocommit: bool
    """It stands in a `with … autocommit_block():`."""
    line: int

    @property
    def table(self) -> str | None:
        """Return the table that is altered, where it is written out."""
        return self.batch or (self.arguments[0] if self.arguments else None)

    @property
    def column(self) -> str | None:
        """Return the second argument of a call about a column; the first inside of a batch."""
        at = 0 if self.batch is not None else 1
        return self.arguments[at] if len(self.arguments) > at else None

    def type_of(self, keyword: str) -> TypeText | None:
        """Return the type given under a keyword."""
        return next((one for name, one in self.types if name == keyword), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """A comment that silences rules: `# orchestrate: ignore[CODE, …] REASON`."""

    codes: tuple[str, ...]
    reason: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSource:
    """One revision file."""

    file: str
    """As findings show it: relative to the project's directory where it lies inside."""
    sha256: str
    revision: str | None
    """None where it is not written as a literal, or the file cannot be read."""
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    labels: tuple[str, ...]
    title: str
    imports: tuple[Import, ...]
    calls: tuple[OperationCall, ...]
    upgrade_line: int
    changes: bool
    """`upgrade()` does something: that of a merge, or of a mere mark, does not."""
    downgrade: Downgrade
    downgrade_line: int
    ignores: tuple[Ignore, ...]
    problem: str | None = None
    """Why the file cannot be read."""

    def at(self, line: int) -> str:
        """Return a place in the file."""
        return f"{self.file}:{line}"

    def calls_of(self, *names: str) -> Iterator[OperationCall]:
        """Return the calls of these operations."""
        return (one for one in self.calls if one.name in names)
