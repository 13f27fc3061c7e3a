"""What an unfinished restore has left in a database, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrate.domain.restores import PutBack

LEFT: Final[Mapping[PutBack, str]] = {
    "old": "the database is the old one: nothing of the copy is in it",
    "changing": "the server is still at work on what a killed process asked for: look again soon",
    "tables": "the database is the new one: the copy's tables are in the place of all the old, and "
    "its views, routines, triggers and events may not all be there yet",
    "whole": "the database is the new one, as the copy has it; that is not recorded yet",
}
