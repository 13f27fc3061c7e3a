"""Every page that the code names exists, and what a page has one type can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from orchestrate.cli.main import COMMANDS, cli
from orchestrate.domain.spec import json_schema
from orchestrate.errors import CODES
from orchestrate.planning.trouble_pages import PAGES
from tests.support.workspace import Workspace

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "troubles"
SECTIONS = ["How it comes about", "See it yourself", "What to do", "Next time"]
TYPED = re.compile(r"^\$ (orchestrate .*?)(?:  #.*)?$|`(orchestrate [^`]+)`", re.MULTILINE)

DOCUMENTED_AHEAD = {"stamp"} - set(COMMANDS)


def test_pages_are_those_that_the_code_names() -> None:
    """A file for each name and a name for each file; each is an error code, a sign or a finding."""
    files = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    assert files == set(PAGES)
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "src").rglob("*.py")
        if path.name not in {"troubles.py", "errors.py"}
    )
    explaining = (ROOT / "src/orchestrate/planning/troubles.py").read_text("utf-8")
    named = {
        name
        for name in PAGES
        if name in CODES
        or re.search(f"['\"]{name}['\"]", source)
        or explaining.count(f'"{name}"') > 1
    }
    assert named == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str) -> None:
    """It has its title and its sections, is short, and its commands and options exist."""
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    assert text.startswith(f"# {PAGES[name]}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert len(text) < 3000
    todo = text.partition("## What to do")[2].partition("## Next time")[0]
    assert "```" in todo or "`" in todo, "something to type"
    for match in TYPED.finditer(text):
        command_exists(match[1] or match[2])


def command_exists(line: str) -> None:
    """Parse a command line as the program would, without running it."""
    words = shlex.split(line)[1:]
    context = click.Context(cli, info_name="orchestrate")
    options = {name for one in cli.params for name in one.opts}
    while words and words[0].startswith("-"):
        assert words.pop(0) in options, line
    name, *arguments = words
    if name in DOCUMENTED_AHEAD:
        return
    assert name in COMMANDS, line
    command = cli.get_command(context, name)
    assert command is not None
    command.make_context(name, arguments, parent=context, resilient_parsing=True)


def test_keys_of_the_spec_that_pages_show_exist() -> None:
    """A key at the beginning of a line of YAML is one that the schema knows."""
    known = set(re.findall(r'"(\w+)": \{', str(json_schema()).replace("'", '"')))
    for path in FOLDER.glob("*.md"):
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            keys = set(re.findall(r"^\s*(?:# )?(\w+):", block, re.MULTILINE))
            assert keys <= known, path.name


def test_explain(workspace: Workspace) -> None:
    """By code, by name, by what a message names; the list; and a near miss."""
    text = workspace.ok("explain", "docs/troubles/tls.md").stdout
    assert text == (FOLDER / "tls.md").read_text("utf-8")
    assert "The journal has no run" in workspace.ok("explain", "unknown-run").stdout
    value = workspace.ok("explain", "in-doubt", "--format", "json").json()
    assert value["docs"] == "docs/troubles/in-doubt.md"
    assert value["text"].startswith("# A step may be half applied")
    listed = workspace.ok("explain").stdout
    assert all(name in listed for name in PAGES)
    unknown = workspace.call("explain", "in-dobt")
    assert unknown.status == 2
    assert "Did you mean `in-doubt`?" in unknown.stderr
