"""The guide to lint, command by command, as its reader would type it; and the page of rules."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrate.planning.rules import RULES, page_for
from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

DOCS = Path(__file__).parents[2] / "docs"


def test_guide(tmp_path: Path) -> None:
    """A finding, its exit status, and the comment that silences it."""
    folder = tmp_path / "work"
    workspace = Workspace(folder=folder, project=Project(folder).linear(3)).spec()
    guide = DOCS / "how-to" / "lint.md"
    assert follow(guide, folder, environ=workspace.environment_variables()) == 2


def test_every_rule_has_its_section() -> None:
    """Where a message leads; and no section without a rule."""
    sections = re.findall(r"^##+ ([a-z-]+)$", (DOCS / "lint-rules.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted([*RULES, "squawk"])
    assert page_for("squawk-renaming-column") == "docs/lint-rules.md#squawk"
