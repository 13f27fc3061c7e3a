"""Copies of databases: how the servers' own programs are called, and what is asked around a copy.

Texts and values only. No secret stands in an argument list, on this machine or behind a prefix:
everything but the name of an interpreter goes first on its standard input. That is also why it does
not matter what a prefix does with arguments (SSH has them read by a second shell).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol

from orchestrate.domain.backups import DumpFormat, Strategy
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.secrets import Secret
from orchestrate.domain.snapshot import Snapshot
from orchestrate.values import dataclass

if TYPE_CHECKING:
    from orchestrate.dialects.exchange import Exchange
    from orchestrate.dialects.row_tally import RowTally

READY: Final = "orchestrate-ready"
"""The line on standard output by which a program says that it has taken its opening, and that what
comes next on standard input is data, on standard output the copy. Whatever a login shell or a
container prints before it is no part of a copy; without it nothing was heard at the far end."""
PATH_VARIABLE: Final = "ORCHESTRATE_COPY"
"""Environment variable with the path of the copy, for programs that write or read a place."""

Place = Literal["stream", "either", "folder"]
Owners = Literal["kept", "ours"]


LINE_LIMIT: Final = 8192
"""The bytes within which an `Edit` has to be decided, from the line's beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Something in a text copy that is written anew, wherever a line begins with it."""

    pattern: re.Pattern[bytes]
    """Begins with the line break before it; sees at least `LINE_LIMIT` bytes, or the whole line."""
    replacement: bytes
    literal: bytes
    """Stands in whatever the pattern matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that writes a copy to standard output, or reads one from standard input."""

    name: str
    """For people: `pg_dump`."""
    command: tuple[str, ...]
    """What is started: an interpreter, with what stands before it. No secret in it, ever."""
    opening: Secret
    """Goes first on its standard input; it answers with the line `READY`."""
    place: Place = "stream"
    """`folder`: in place of the streams it writes or reads the folder named in `PATH_VARIABLE`.
    `either`: a file named there, if the variable is set and not empty."""
    trailer: bytes | None = None
    """Stands near the end of a copy that is complete, for formats that do not tell otherwise."""
    edits: tuple[Edit, ...] = ()
    """What is changed of the copy on its way, out of the program or into it."""
    closing: bytes = b""
    """Goes to its standard input behind a copy that was read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """In which form copies are made, and how the programs for that are reached."""

    format: DumpFormat = "custom"
    """Of `pg_dump`; the others have one."""
    jobs: int = 1
    """Connections at the same time, of the format `directory`."""
    prefix: tuple[str, ...] = ()
    """What stands before the client programs, to run them where the database is; for SQLite the
    whole command of a Python that reaches the file."""
    here: bool = True
    """Whether the programs run on this machine and see its files."""


class Copies(Protocol):
    """How a dialect's databases are copied and put back."""

    strategy: Strategy

    def dump(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the program that writes a copy."""

    def load(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the program that puts a copy into an empty database and ends at the first error.

        An SQLite file need not be empty: it is replaced in one transaction. With `ours`, everything
        belongs to the credential and nobody is granted anything, where the format allows it: for a
        scratch database, on which nobody but the proof has to look.
        """

    def replace(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the program that puts a copy in the place of all that a database holds.

        Where the server can, in one transaction: whoever kills it finds the old content.
        """

    sets_session: bool
    """Whether the programs change settings of their server session, which behind a transaction
    pooler stay with it for others."""
    names_roles: bool
    """Whether a copy names owners and grantees, which another server may lack."""
    replaces_at_once: bool
    """Whether `replace` leaves either the old content or the new one."""

    @property
    def exchange(self) -> Exchange | None:
        """Return how to come near to that where it does not; None where it does, or not known."""

    def proven(self, snapshot: Snapshot) -> Snapshot:
        """Return how a database's schema looks where a copy was put back with `ours`."""

    def listing(self, way: Way) -> Program | None:
        """Return the program that reads a copy to its end and fails if it is damaged.

        None: a plain text, which its `trailer` proves to be complete.
        """

    def trailer(self, way: Way) -> bytes | None:
        """Return what stands near the end of a complete copy, for plain texts."""

    def versions(self, way: Way) -> Program:
        """Return the program that prints the versions of all programs that are needed."""

    def too_old(self, versions: str, server_version: str) -> str | None:
        """Return why these programs must not copy this server, in a sentence; None if they may.

        `versions` is what the program `versions` printed, `server_version` the dialect's own.
        """

    def counts(self, tables: Sequence[tuple[str | None, str]]) -> str:
        """Return one statement with rows of (schema or null, table, rows in it)."""

    def tally(self, server_version: str) -> RowTally | None:
        """Return what counts the rows in a copy as it passes; None where they are not lines of it.

        `server_version` is the dialect's own.
        """

    size: str
    """One row, one column: the bytes of the database."""
    rights: Mapping[str, str]
    """Queries that show what the credential cannot read, or could not put back."""

    def missing_rights(self, rows: Rows) -> tuple[str, ...]:
        """Return what a copy would lack or fail at, a sentence each; nothing where all is well."""


def parameters(url: DatabaseUrl) -> tuple[tuple[str, str], ...]:
    """Return what stands behind the question mark, decoded. It may hold secrets."""
    return url.parameters


def through_shell(
    name: str,
    command: str,
    *,
    prefix: Sequence[str],
    environ: Mapping[str, str] | None = None,
    place: Place = "stream",
    trailer: bytes | None = None,
    edits: tuple[Edit, ...] = (),
    closing: bytes = b"",
) -> Program:
    """Return a program that a shell starts: `command` is its line, quoted where that is needed.

    `environ` may hold secrets. The braces have the shell read everything before it does anything,
    so that nothing behind the opening is taken for a part of it.
    """
    # Messages are recognised by their English words.
    variables = {"LC_ALL": "C", **(environ or {})}
    lines = [
        "{",
        *(f"{key}={shlex.quote(value)}; export {key}" for key, value in variables.items()),
        f"echo {READY}",
        command,
        "}",
    ]
    return Program(
        name=name,
        command=(*prefix, "sh"),
        opening=Secret("\n".join(lines) + "\n"),
        place=place,
        trailer=trailer,
        edits=edits,
        closing=closing,
    )
