"""Copies that a command of the spec's makes and puts back: your snapshot tool, for one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrate.adapters.commands import SHOWN_LINES, started_command
from orchestrate.domain.backups import BackupOrder
from orchestrate.errors import OrchestrateError
from orchestrate.run.access import Access
from orchestrate.run.hooks import hook_environ

COPY_VARIABLE = "ORCHESTRATE_BACKUP"


def copied_by_command(
    access: Access, order: BackupOrder, *, stop: Callable[[], bool] | None
) -> str:
    """Run the spec's command; return the name that its last line of output gives the copy.

    Raises `backup-failed`.
    """
    del stop  # the command's own time limit ends it
    lines = _ran(access, order.command, copy=None, code="backup-failed")
    name = next((line.strip() for line in reversed(lines) if line.strip()), None)
    if name is None:
        raise OrchestrateError(
            "backup-failed",
            f"`{shlex.join(order.command)}` printed nothing: its last line has to name the copy",
        )
    return name


def restored_by_command(access: Access, order: BackupOrder, copy: str) -> None:
    """Have the spec's command put a copy into the target of `access`.

    Raises `backup-impossible` where none is declared, and `restore-failed`.
    """
    if not order.restore:
        raise OrchestrateError(
            "backup-impossible",
            "A copy of strategy `command` is put back by `restore`, which is not declared",
            where=access.environment,
            hint="Name the program under `backup`: `restore: [./restore.sh]`; it finds the copy's "
            "name in ORCHESTRATE_BACKUP and the URL in ORCHESTRATE_DATABASE_URL",
        )
    _ran(access, order.restore, copy=copy, code="restore-failed")


def _ran(access: Access, command: Sequence[str], *, copy: str | None, code: str) -> Sequence[str]:
    with started_command(
        command,
        folder=Path(access.folder) / (access.project.get("directory") or "."),
        environ={**hook_environ(access), **({COPY_VARIABLE: copy} if copy else {})},
        lock=Path(access.folder) / ".orchestrate" / f"{access.environment}.copy",
        redactor=access.redactor,
        on_output=access.on_output,
    ) as running:
        ended = running.wait(access.step_timeout)
    if ended.status != 0 or ended.timed_out:
        how = "was ended by `step_timeout`" if ended.timed_out else f"ended with {ended.status}"
        told = "".join(f"\n  | {line}" for line in ended.output[-SHOWN_LINES:])
        raise OrchestrateError(code, f"`{shlex.join(command)}` {how}{told}")
    return ended.output
