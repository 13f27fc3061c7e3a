"""The program in a real terminal, for what it asks a person and what happens while it asks."""

from __future__ import annotations

import sys

import pexpect

from tests.support.workspace import Workspace


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, workspace: Workspace, *arguments: str, **environ: str) -> None:
        """Start `orchestrate ARGUMENTS`; without colour where `environ` has `NO_COLOR`."""
        variables = workspace.environment_variables(environ)
        if "NO_COLOR" not in environ:
            del variables["NO_COLOR"]
        self.child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "orchestrate", *arguments],
            cwd=str(workspace.folder),
            env={**variables, "TERM": "xterm"},
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 160),
        )

    def ends(self) -> tuple[int | None, str]:
        """Wait for the end; return exit status and what was still printed."""
        self.child.expect(pexpect.EOF)
        said = self.child.before or ""
        self.child.close()
        return self.child.exitstatus, said
