"""Putting a copy in the place of what a database holds where DDL is not undone. Texts, values only.

The copy is loaded into a scratch database of the same server, while the target stays as it is.
Then its tables change places with the target's in one statement, and last come the programs: what
names tables and cannot be moved along. A table that comes with the exchange, the sign, says from
then on how far it went; whoever looks needs no journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from orchestrate.dialects.copies import Program, Way
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.restores import PutBack
from orchestrate.domain.snapshot import Snapshot
from orchestrate.values import dataclass

REPLACED: Final = "orchestrate_replaced_"
"""What a table of the old database is called that waits in the target for being dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The databases that take part in one exchange."""

    scratch: str
    """Holds the copy before it, and its programs after it."""
    parked: str
    """Empty before it, holds the old tables after it."""
    token: str
    """Of names that nobody else uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What an exchange executes, each a text for the program `client` in the target."""

    rename: bytes
    """Readies the scratch database, and ends with the one statement that exchanges the tables."""
    before_programs: bytes
    """Drops what is left of the old database, and gives constraints their names back."""
    after_programs: bytes
    """Makes the sign say that all is there."""


class Exchange(Protocol):
    """How a dialect exchanges a database's content for a copy's.

    Rows are those of the queries that the same value gives; all are asked of the target.
    """

    facts: Mapping[str, str]
    """Queries for `obstacle`."""

    def obstacle(self, rows: Rows, saved: Snapshot | None) -> str | None:
        """Return why a copy of that schema has to be put back in place, in words; None if not."""

    sign: str
    """Query for the sign."""

    def standing(self, rows: Sequence[Sequence[object]], run: str) -> PutBack:
        """Return how far a run's exchange went, by the rows of `sign`."""

    leftovers: Mapping[str, str]
    """Queries for `tidy`."""

    def tidy(self, rows: Rows) -> tuple[str, ...]:
        """Return statements that drop what an exchange that was cut off left in the target.

        The sign stays.
        """

    forget: tuple[str, ...]
    """Statements that take away the sign of an exchange that is over."""

    def fill(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the program that loads a copy into the scratch database of that URL."""

    def contents(self, schemas: Schemas) -> Mapping[str, str]:
        """Return the queries that show what both databases hold."""

    def shapes(self, rows: Rows, schemas: Schemas) -> Mapping[str, str]:
        """Return, by the rows of `contents`, the queries that `swap` needs besides; often none."""

    def swap(self, rows: Rows, shapes: Rows, schemas: Schemas, *, run: str) -> Swap:
        """Return what is executed. The sign is that of the run."""

    def remaining(self, schemas: Schemas) -> str:
        """Return the query with a row if the old tables are still there after all is done."""

    def programs(
        self, url: DatabaseUrl, way: Way, rows: Rows, schemas: Schemas
    ) -> tuple[Program, ...]:
        """Return the programs that write what cannot be moved along, out of the scratch database.

        What they write goes one after the other between `before_programs` and `after_programs`.
        """

    def client(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the program that executes a text and ends at the first error."""
