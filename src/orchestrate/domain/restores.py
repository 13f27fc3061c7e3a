"""How far a copy has been put back in the place of what a database held."""

from __future__ import annotations

from typing import Literal

PutBack = Literal["old", "changing", "tables", "whole"]
"""`old`: nothing of the copy is there. `tables`: its tables are, in the place of the old ones, and
its views, routines, triggers and events may not all be. `whole`: everything is. `changing`:
the server is still at work on what a process that was killed had asked for."""
