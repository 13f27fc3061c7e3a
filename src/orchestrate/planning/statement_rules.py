"""Rules over a revision's statements: what is lost, whom it keeps out, and for how long. Pure.

Planning and dialects are neighbours, so what a server's locks are comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from orchestrate.domain.amounts import bytes_said
from orchestrate.domain.findings import Finding
from orchestrate.domain.locks import UNKNOWN, Effect, Retyping, TableSize, tables_said
from orchestrate.domain.revision_source import OperationCall, RevisionSource
from orchestrate.domain.statements import Statement, Table, said
from orchestrate.planning.losses import losses_of
from orchestrate.planning.revision_places import loss_line, statement_line
from orchestrate.planning.rules import found
from orchestrate.planning.statements import tables_named
from orchestrate.values import dataclass

NOTICED_BYTES: Final = 10 * 1024 * 1024
"""Smaller tables are done with before anybody notices."""
_NOTICED_ROWS: Final = 100_000
_LOSSES: Final = {"table": "drops-table", "column": "drops-column", "rows": "deletes-rows"}
_KIB: Final = 1024


class LocksOf(Protocol):
    """What a dialect says of its locks (`dialects/locks.py`)."""

    def effects(
        self,
        statement: Statement,
        retyping: Callable[[str], Retyping],
        *,
        version: str | None,
    ) -> tuple[Effect, ...]:
        """Return what keeps others out."""

    def needs_autocommit(self, statement: Statement, *, version: str | None) -> bool:
        """Return whether the server refuses the statement inside a transaction."""

    def commits(self, statement: Statement) -> bool:
        """Return whether the server commits what was done before it runs the statement."""

    def batched(self, table: Table) -> Effect | None:
        """Return what Alembic's batch mode does to a table, where it has to copy it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that a revision is judged for."""

    title: str
    """As people call it: `PostgreSQL 15.18`, or the dialect's name where no server was asked."""
    grammar: str
    locks: LocksOf | None
    version: str | None = None
    """As the dialect writes it; None where no server was asked."""
    sizes: tuple[TableSize, ...] | None = None
    """None where nobody knows how large tables are; else a table that is not there is empty."""
    version_table: str = "alembic_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A finding, and whether it is told: what concerns a small table only shows what was meant."""

    finding: Finding
    told: bool = True


def statement_remarks(
    source: RevisionSource, statements: Sequence[Statement], server: Server
) -> tuple[Remark, ...]:
    """Return what a revision's statements give reason to say on a server.

    What happens to a table that the same revision made is nobody's loss, and keeps nobody out.
    """
    own = server.version_table.rpartition(".")[2]
    made = {(None, own)} | _made(statements)
    return (
        *_lost(source, statements, made),
        *_autocommitted(source, statements, server),
        *_committed(source, statements, server, made),
        *_effects(source, statements, server, made),
        *_batches(source, server),
        *_changed(source, statements, server, made),
    )


def _made(statements: Iterable[Statement]) -> set[Table]:
    return {
        table
        for one in statements
        if one.verb == "CREATE" and one.kind == "TABLE"
        for table in one.tables
    }


def _lost(
    source: RevisionSource, statements: Sequence[Statement], made: set[Table]
) -> Iterator[Remark]:
    for loss in losses_of(statements):
        if loss.table in made or (None, loss.table[1]) in made:
            continue
        yield Remark(
            finding=found(
                _LOSSES[loss.kind],
                loss.what,
                where=source.at(loss_line(source, loss)),
                hint="Nothing brings it back but a backup; see that nothing reads it any more, and "
                "deploy that first",
            )
        )


def _autocommitted(
    source: RevisionSource, statements: Iterable[Statement], server: Server
) -> Iterator[Remark]:
    if server.locks is None:
        return
    for one in statements:
        if not one.outside and server.locks.needs_autocommit(one, version=server.version):
            yield Remark(
                finding=found(
                    "needs-autocommit",
                    f"{server.title} runs `{_short(one)}` only outside a transaction",
                    where=source.at(statement_line(source, one)),
                    hint="Put it into `with op.get_context().autocommit_block():`, in a revision "
                    "of its own",
                )
            )


def _committed(
    source: RevisionSource, statements: Iterable[Statement], server: Server, made: set[Table]
) -> Iterator[Remark]:
    """Return the first change of rows that stays when what follows it fails."""
    if server.locks is None:
        return
    changed: Statement | None = None
    for one in statements:
        if changed is not None and changed.table is not None and server.locks.commits(one):
            yield Remark(
                finding=found(
                    "commits-rows",
                    f"changes rows of {said(changed.table)}, and {server.title} commits them "
                    f"before `{_short(one)}`: if that fails, they stay changed",
                    where=source.at(statement_line(source, changed)),
                    hint="Give the rows a revision of their own; then what failed can be run again",
                )
            )
            return
        if one.verb in _CHANGES_ROWS and one.table is not None and one.table not in made:
            changed = changed or one


_CHANGES_ROWS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})


def _effects(
    source: RevisionSource, statements: Iterable[Statement], server: Server, made: set[Table]
) -> Iterator[Remark]:
    if server.locks is None:
        return
    validated: set[Table] = set()
    for one in statements:
        table = one.table
        if table is not None and one.words.has("VALIDATE", "CONSTRAINT"):
            validated.add(table)
        for effect in server.locks.effects(
            one, _retyping_of(source, table), version=server.version
        ):
            # A check that has been validated tells the server that no row is null.
            spared = effect.table in validated and one.words.has("SET", "NOT", "NULL")
            if effect.table in made or spared:
                continue
            yield _remark(source, effect, one, server)


def _remark(source: RevisionSource, effect: Effect, statement: Statement, server: Server) -> Remark:
    where = source.at(statement_line(source, statement))
    if effect.code == "required-column":
        told = not is_empty(effect.table, server)
        message = (
            f"adds a column to {said(effect.table)} that must be filled and has no default: "
            f"{server.title} refuses it where there are rows"
        )
        return Remark(finding=found(effect.code, message, where=where, hint=effect.hint), told=told)
    return Remark(
        finding=found(
            effect.code,
            f"{effect_said(effect, server)}: {_short(statement)}",
            where=where,
            hint=effect.hint,
        ),
        told=is_noticed(effect.table, server, only_large=effect.only_large),
    )


def effect_said(effect: Effect, server: Server) -> str:
    """Return `ACCESS EXCLUSIVE on orders, 41.0 GiB, rewritten; reads and writes wait`."""
    size = size_of(effect.table, server)
    parts = [
        f"{effect.lock} on {tables_said(effect)}",
        *([bytes_said(size.bytes)] if size is not None and size.bytes else []),
        effect.meanwhile,
    ]
    return f"{', '.join(parts)} ({effect.keeps_out} wait)"


def _batches(source: RevisionSource, server: Server) -> Iterator[Remark]:
    """Return tables that Alembic's batch mode copies, which its offline SQL cannot show."""
    copied: dict[str, OperationCall] = {}
    for call in source.calls:
        if call.batch and call.name not in _KEPT_BY_BATCHES:
            copied.setdefault(call.batch, call)
    for table, call in copied.items():
        effect = server.locks.batched((None, table)) if server.locks else None
        if effect is None:
            continue
        yield Remark(
            finding=found(
                effect.code,
                effect_said(effect, server),
                where=source.at(call.line),
                hint=effect.hint,
            ),
            told=is_noticed(effect.table, server, only_large=effect.only_large),
        )


_KEPT_BY_BATCHES: Final = frozenset({"add_column", "create_index", "drop_index", "f"})
"""What batch mode does in place where it can."""


def _changed(
    source: RevisionSource, statements: Sequence[Statement], server: Server, made: set[Table]
) -> Iterator[Remark]:
    """Return changes of all rows at once, as far as the table is large or nobody knows."""
    for one in statements:
        if one.table is None or one.verb not in {"UPDATE", "DELETE", "INSERT"}:
            continue
        concerned = {one.table} if one.verb != "INSERT" else tables_named(one.words)
        concerned = {table for table in concerned if table not in made}
        if not concerned:
            continue
        size = _largest(concerned, server)
        narrowed = one.words.has_any({"WHERE", "LIMIT"})
        if server.sizes is None:
            if one.verb == "INSERT" or narrowed:
                continue
            message = f"changes every row of {said(one.table)} at once: {_short(one)}"
        elif size is None or not _is_large(size):
            continue
        else:
            message = (
                f"{one.verb} on {size.table}, {_amount(size)}, in one transaction: {_short(one)}"
            )
        yield Remark(
            finding=found(
                "unbatched-change",
                message,
                where=source.at(statement_line(source, one)),
                hint="Change a few thousand rows at a time by their key, each lot committed, "
                "outside of the revision that changes the table",
            )
        )


def _largest(tables: Iterable[Table], server: Server) -> TableSize | None:
    found_sizes = [size for table in tables for size in [size_of(table, server)] if size]
    return max(found_sizes, key=lambda one: one.bytes or 0, default=None)


def size_of(table: Table, server: Server) -> TableSize | None:
    """Return how large a table is there, if that is known."""
    return next((one for one in server.sizes or () if one.fits(table)), None)


def is_empty(table: Table, server: Server) -> bool:
    """Return whether there are surely no rows: the table is not there yet."""
    return server.sizes is not None and size_of(table, server) is None


def is_noticed(table: Table, server: Server, *, only_large: bool = False) -> bool:
    """Return whether others would notice that they are kept out of a table."""
    if server.sizes is None:
        return not only_large
    size = size_of(table, server)
    return size is not None and _is_large(size)


def _is_large(size: TableSize) -> bool:
    return (size.bytes or 0) >= NOTICED_BYTES or (size.rows or 0) >= _NOTICED_ROWS


def _amount(size: TableSize) -> str:
    rows = f"about {size.rows} rows" if size.rows and size.rows > 0 else ""
    return ", ".join(part for part in (bytes_said(size.bytes) if size.bytes else "", rows) if part)


def _retyping_of(source: RevisionSource, table: Table | None) -> Callable[[str], Retyping]:
    def retyping(column: str) -> Retyping:
        for call in source.calls_of("alter_column"):
            if table is not None and (call.table, call.column) == (table[1], column):
                return Retyping(before=call.type_of("existing_type"), after=call.type_of("type_"))
        return UNKNOWN

    return retyping


_SHORT: Final = 100


def _short(statement: Statement) -> str:
    text = str(statement.words)
    for sign in (",", ")", "."):
        text = text.replace(f" {sign}", sign)
    text = text.replace("( ", "(").replace(". ", ".")
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
