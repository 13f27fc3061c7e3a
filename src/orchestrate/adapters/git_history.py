"""Looks for a revision in the git history of the checkout: all refs, deleted files too.

Read-only: it takes no lock, writes nothing and asks no remote. Never more than some seconds, and
nothing at all where there is no `git` or no repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.domain.sightings import Commit, Seen, Sighting

SECONDS: Final = 6.0
_ENVIRON: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_COMMIT: Final = "%x00%h%x00%as%x00%an"


class NoHistoryError(Exception):
    """There is no git, no repository, or no answer in time."""


def find_revision(identifier: str, folder: Path, *, seconds: float = SECONDS) -> Seen:
    """Return where a revision's file was added, or None if no commit has it.

    By the file's name first, which most projects begin with the identifier; then by its text.

    Raises:
        NoHistoryError: nobody can say.
    """
    git = _Git(folder, time.monotonic() + seconds)
    root = Path(git.run("rev-parse", "--show-toplevel").strip())
    if not re.fullmatch(r"[\w.-]+", identifier):
        return None
    added = git.first("log", "--all", "--diff-filter=A", "--", f":(top)*{identifier}*.py")
    if added is None or not _has(git, *added, identifier):
        pattern = f"^revision[^=]*=[^=]*[\"']{re.escape(identifier)}[\"']"
        added = git.first("log", "--all", f"-G{pattern}", "--diff-filter=AM", "--", ":(top)*.py")
    if added is None:
        return None
    commit, file = added
    in_head = git.tells("merge-base", "--is-ancestor", commit.id, "HEAD")
    gone = git.first("log", "--diff-filter=D", "--", f":(top,literal){file}") if in_head else None
    return Sighting(
        file=file,
        added=commit,
        branches=_branches(git, commit.id),
        deleted=gone[0] if gone else None,
        on_disk=(root / file).exists(),
        in_head=in_head,
    )


def _has(git: _Git, commit: Commit, file: str, identifier: str) -> bool:
    """Tell whether a file is the revision's own: its name may mention another one."""
    text = git.run("show", f"{commit.id}:{file}")
    pattern = rf"^revision\b[^=\n]*=\s*[\"']{re.escape(identifier)}[\"']"
    return re.search(pattern, text, re.MULTILINE) is not None


def _branches(git: _Git, commit: str) -> tuple[str, ...]:
    listed = git.run(
        "for-each-ref",
        f"--contains={commit}",
        "--format=%(refname:short)",
        "refs/heads",
        "refs/remotes",
        "refs/tags",
    ).split()
    # `origin/HEAD` is another name for a branch that is listed anyhow.
    return tuple(name for name in listed if not name.endswith("/HEAD") and name != "origin")


class _Git:
    """The `git` command in one folder, until a moment."""

    def __init__(self, folder: Path, ends_at: float) -> None:
        program = shutil.which("git")
        if program is None:
            raise NoHistoryError
        self._command = [program, "-C", str(folder), "-c", "core.quotePath=false"]
        self._ends_at = ends_at

    def run(self, *arguments: str) -> str:
        """Return what a command prints."""
        done = self._done(arguments)
        if done.returncode != 0:
            raise NoHistoryError
        return done.stdout

    def tells(self, *arguments: str) -> bool:
        """Return whether a command ends with 0."""
        return self._done(arguments).returncode == 0

    def first(self, command: str, *arguments: str) -> tuple[Commit, str] | None:
        """Return the newest commit that a `log` gives, with the first file of it."""
        mine = ["-1", "--no-renames", f"--format={_COMMIT}", "--name-only"]
        text = self.run(command, *mine, *arguments).strip("\n")
        if not text:
            return None
        head, _, files = text.partition("\n")
        _, commit, date, author = head.split("\0")
        return Commit(id=commit, date=date, author=author), files.strip("\n").split("\n")[0]

    def _done(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [*self._command, *arguments],
                env=child_environ(_ENVIRON),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=max(0.1, self._ends_at - time.monotonic()),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            raise NoHistoryError from None
