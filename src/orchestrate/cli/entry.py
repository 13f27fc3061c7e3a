"""The program's first moment: an agent is at work before the command line is imported.

Imports nothing that takes time, so that both sides import their libraries side by side (ADR 7).
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from orchestrate.adapters.agent_start import SparePlace, start_spare
from orchestrate.cli.streams import OutputLostError, standard_streams
from orchestrate.errors import ExitStatus, OrchestrateError
from orchestrate.stores.spec_place import spec_path

LOOKING: Final = frozenset(
    {
        "doctor",
        "drift",
        "compare",
        "status",
        "lint",
        "plan",
        "rehearse",
        "apply",
        "rollback",
        "resume",
        "backup",
        "restore",
        "runbook",
        "stamp",
        "alembic",
        "trust",
    }
)
"""Commands that look at a target first of all."""
_WITH_VALUE: Final = frozenset({"--spec", "--format"})
"""Global options whose next argument is no command."""


def program() -> NoReturn:
    """Be the command `orchestrate`: run the command line and end the process at once.

    What a command opened is closed by then. Tearing down an interpreter that holds SQLAlchemy,
    Alembic and pydantic takes longer than many a command, and so would collecting garbage while
    they are imported.
    """
    output = standard_streams()
    gc.set_threshold(200_000, 20, 20)
    spare = spare_for(sys.argv[1:])
    from orchestrate.cli.main import main  # noqa: PLC0415  (see the module)

    status: int | str | None = 0
    try:
        main(spare=spare, output=output)
    except SystemExit as ended:
        status = ended.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, OutputLostError):
            stream.flush()
    os._exit(status if isinstance(status, int) else ExitStatus.FAILED)


def spare_for(arguments: Sequence[str]) -> SparePlace | None:
    """Start an agent where the spec seems to be, if the command will look at a target.

    A failure only means that there is none.
    """
    words = iter(arguments)
    command = next((one for one in words if not _is_option(one, words)), None)
    if command not in LOOKING or {"-h", "--help"} & set(arguments):
        return None
    with contextlib.suppress(OrchestrateError, OSError):  # OSError: the folder we are in is gone
        return start_spare(spec_path(_spec(arguments), start=Path.cwd()).parent)
    return None


def _is_option(word: str, following: Iterator[str]) -> bool:
    if word in _WITH_VALUE:
        next(following, None)
    return word.startswith("-")


def _spec(arguments: Sequence[str]) -> Path | None:
    for number, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == "--spec":
            value = value if equals else "".join(arguments[number + 1 : number + 2])
            return Path(value) if value else None
    return None
