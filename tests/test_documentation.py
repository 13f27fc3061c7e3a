"""What the documents show can be typed, pasted and followed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate.stores.spec_files import load_spec
from tools import generate_reference

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "example/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
EXAMPLE = re.compile(r"```yaml\n# ([\w/.]+).*?\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SOURCES = (ROOT, ROOT / "src" / "orchestrate")
FILE = re.compile(r"`([a-z_]+/[a-z_/]+\.py)`")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", GUIDES, ids=_name)
def test_specs_of_a_guide_can_be_pasted(document: Path, tmp_path: Path) -> None:
    """Each guide's YAML, written where its first line says, is a valid spec."""
    examples = EXAMPLE.findall(document.read_text("utf-8"))
    assert examples
    (tmp_path / "environments").mkdir()
    (tmp_path / "migrations.yaml").write_text("version: 1\n")
    (tmp_path / "environments" / "other.yaml").write_text("name: other\nurl: sqlite:///o.db\n")
    for name, text in examples:
        (tmp_path / name).write_text(text)

    assert load_spec(None, start=tmp_path).findings == ()


def test_example_is_valid_without_warnings() -> None:
    """The spec at the top level has its three environments and nothing to remark."""
    spec = load_spec(ROOT / "migrations.yaml", start=ROOT)

    assert [one.name for one in spec.environments] == ["dev", "production", "staging"]
    assert spec.findings == ()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_and_files_exist(document: Path) -> None:
    """A relative link leads somewhere, and a source file that is named is there."""
    text = document.read_text("utf-8")
    broken = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    gone = [
        name
        for name in FILE.findall(text)
        if not any((folder / name).exists() for folder in (*SOURCES, document.parent))
    ]

    assert (broken, gone) == ([], [])


def test_reference_pages_are_current() -> None:
    """The generated pages are what the code says now."""
    stale = [
        name
        for name, text in generate_reference.pages().items()
        if (generate_reference.FOLDER / name).read_text("utf-8") != text
    ]

    assert stale == []


def test_example_works_with_plain_alembic(tmp_path: Path) -> None:
    """The example project knows nothing of us: up, no difference to the models, and down again."""
    project = ROOT / "example"
    settings = (project / "alembic.ini").read_text("utf-8")
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        settings.replace("%(here)s/migrations", str(project / "migrations"))
        .replace("%(here)s/data/dev.db", str(tmp_path / "dev.db"))
        .replace("prepend_sys_path = .", f"prepend_sys_path = {project}")
    )

    for command in (["upgrade", "heads"], ["check"], ["downgrade", "base"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(ini), *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
