"""What a command imports before its agents are at work."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "alembic sqlalchemy mako psycopg asyncio paramiko"


def test_an_agent_is_asked_before_the_heavy_libraries_are_imported() -> None:
    """Both sides import them side by side: one import too early doubles what `plan` takes."""
    code = (
        "import sys, orchestrate.cli.main, orchestrate.cli.plan, orchestrate.cli.apply\n"
        "import orchestrate.cli.workbench, orchestrate.cli.looking, orchestrate.cli.blocking\n"
        "import orchestrate.reports.standings, orchestrate.run.observe\n"
        f"print(*sorted(set({HEAVY!r}.split()) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
