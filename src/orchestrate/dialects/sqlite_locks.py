"""SQLite has one writer: what reads or writes a whole table keeps all other writers waiting.

https://www.sqlite.org/lang_altertable.html, https://www.sqlite.org/lockingv3.html
"""

from __future__ import annotations

from orchestrate.dialects.locks import RetypingOf, added_column, must_be_filled
from orchestrate.domain.locks import Effect, EffectCode
from orchestrate.domain.statements import Statement, Table


class SQLiteLocks:
    """What happens while a statement runs, for SQLite."""

    def effects(
        self, statement: Statement, retyping: RetypingOf, *, version: str | None
    ) -> tuple[Effect, ...]:
        """Return what keeps others out for as long as the table is large.

        Tables that Alembic's batch mode builds anew show in the revision's calls, not in its SQL.
        """
        del retyping, version
        table = statement.table
        if table is None:
            return ()
        if statement.is_a("CREATE", "INDEX"):
            return (_slow(table, "blocks-writes", "while the index is built"),)
        if not statement.is_a("ALTER", "TABLE"):
            return ()
        found = []
        for action in statement.actions:
            column = added_column(action)
            if column is not None and must_be_filled(column):
                found.append(_required(table))
            elif action.begins("DROP"):
                found.append(_slow(table, "rewrites-table", "rewritten"))
        return tuple(found)

    def needs_autocommit(self, statement: Statement, *, version: str | None) -> bool:
        """Return whether it is `VACUUM`, which alone is refused inside a transaction."""
        del version
        return statement.verb == "VACUUM"

    def commits(self, statement: Statement) -> bool:
        """Return nothing but False: changes are part of the transaction."""
        del statement
        return False

    def batched(self, table: Table) -> Effect | None:
        """Return that batch mode copies the table."""
        return _slow(table, "rewrites-table", "copied by batch mode")


def _slow(table: Table, code: EffectCode, meanwhile: str) -> Effect:
    return Effect(
        code=code,
        table=table,
        lock="RESERVED",
        keeps_out="all writes to the file",
        meanwhile=meanwhile,
        hint="Do it at a quiet time: nobody else can write to any table meanwhile",
        only_large=True,
    )


def _required(table: Table) -> Effect:
    return Effect(
        code="required-column",
        table=table,
        lock="",
        keeps_out="",
        meanwhile="",
        hint="Give it a `server_default`: SQLite refuses it without, even if there is no row",
    )
