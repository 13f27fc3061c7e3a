"""How many rows of each table are in a copy that `mariadb-dump` writes, counted as it passes.

Counting them in the server reads every table a second time, while the copy is made: a fifth of its
time on a machine of two cores. Pure.

The program writes each row on a line of its own, behind `INSERT INTO … VALUES`, and within a row no
line ends: line breaks of the data are escaped. Such lines stand between `LOCK TABLES` and `UNLOCK
TABLES`; what looks like them elsewhere is the text of a routine. Where the program lists columns
(rows of the past, invisible columns) the first row is on the statement's line, and the count would
not be the table's either; such a table is left to who can ask the server (`untold`), and so is one
whose rows it does not write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_UNTOLD: Final = """\
SELECT NULL, found.TABLE_NAME FROM information_schema.TABLES found
WHERE found.TABLE_SCHEMA = DATABASE() AND (
  found.TABLE_TYPE = 'SYSTEM VERSIONED' OR found.ENGINE LIKE 'MRG%'
  OR found.TABLE_NAME IN (
    SELECT TABLE_NAME FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND EXTRA LIKE '%INVISIBLE%'))
AND found.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY found.TABLE_NAME"""
_LIMIT: Final = 8192
"""The bytes within which it is known what a line is."""
_NOTABLE: Final = re.compile(
    rb"\n(?:LOCK TABLES `(?P<locked>(?:[^`\n]|``)+)` WRITE;"
    rb"|(?P<unlocked>UNLOCK TABLES;)"
    rb"|INSERT INTO `(?P<filled>(?:[^`\n]|``)+)` (?P<plain>VALUES(?=\n))?"
    rb"|DELIMITER (?P<delimiter>\S+))"
)
_NO_ROW: Final = re.compile(rb"\n[^(]")


class RowTally:
    """Takes a copy in, piece by piece, and says at its end what was in it."""

    untold: Final = _UNTOLD
    """Rows of (null, table): the tables whose rows are not lines of a copy."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._untold: set[str] = set()
        self._locked: str | None = None
        """The table whose rows may come now."""
        self._filling: str | None = None
        """The table whose rows the next lines are."""
        self._in_program = False
        """Within a routine or trigger, whose text may look like anything."""
        self._held = b""

    def take(self, piece: bytes) -> None:
        """Take the next piece in, wherever it was cut."""
        text = self._held + piece
        place = 0
        while place < len(text):
            step = self._past_rows if self._filling is not None else self._past_other_lines
            end = step(text, place)
            if end is None:
                return
            place = end
        self._held = b""

    def rows(self) -> Mapping[str, int]:
        """Return the rows of each table that the copy tells of, once all of it was taken in."""
        return {name: number for name, number in self._rows.items() if name not in self._untold}

    def _past_rows(self, text: bytes, start: int) -> int | None:
        """Count rows up to the next line that is none; None where the piece ends before it."""
        table = self._filling or ""
        found = _NO_ROW.search(text, start)
        if found is not None:
            self._rows[table] += text.count(b"\n", start, found.start())
            self._filling = None
            return found.start()
        self._held = b"\n" if text.endswith(b"\n") else b""
        self._rows[table] += text.count(b"\n", start) - len(self._held)
        return None

    def _past_other_lines(self, text: bytes, start: int) -> int | None:
        """Go to the end of the next line that matters; None where the piece has no more."""
        found = _NOTABLE.search(text, start)
        last = text.rfind(b"\n", start)
        if found is None or (found.start() == last and len(text) - last < _LIMIT):
            undecided = last >= 0 and len(text) - last < _LIMIT
            self._held = text[last:] if undecided else b""
            return None
        if found["delimiter"] is not None:
            self._in_program = found["delimiter"] != b";"
        elif not self._in_program:
            self._note(found)
        return found.end()

    def _note(self, found: re.Match[bytes]) -> None:
        if found["unlocked"] is not None:
            self._locked = None
            return
        quoted = found["locked"] or found["filled"]
        table = quoted.replace(b"``", b"`").decode("utf-8", "replace")
        if found["locked"] is not None:
            self._locked = table
            self._rows.setdefault(table, 0)
        elif table != self._locked:
            return
        elif found["plain"] is not None:
            self._filling = table
        else:
            self._untold.add(table)
