"""Rules over revision files: per rule a file that makes it speak, and one that must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate.domain.revision_source import RevisionSource, TypeText
from orchestrate.planning.deeds import Deed
from orchestrate.planning.ignoring import heeded
from orchestrate.planning.revision_rules import (
    Listed,
    is_narrower,
    journal_findings,
    project_findings,
    source_findings,
)
from orchestrate.planning.revision_sources import read_revision
from orchestrate.planning.rules import RULES, found, policy_of
from orchestrate.planning.statement_rules import Remark
from tests.support.values import NOON

PARTS = {
    "doc": '"""add a note"""',
    "imports": "from alembic import op\nimport sqlalchemy as sa",
    "ids": 'revision = "r1"\ndown_revision = "r0"',
    "upgrade": 'def upgrade():\n    op.add_column("t", sa.Column("note", sa.Text))',
    "downgrade": 'def downgrade():\n    op.drop_column("t", "note")',
}


def read(**parts: str) -> RevisionSource:
    text = "\n".join({**PARTS, **parts}.values())
    source = read_revision("versions/r1.py", text.encode())
    assert source is not None
    return source


def codes(local: tuple[str, ...] = (), **parts: str) -> list[str]:
    return [one.code for one in source_findings(read(**parts), local=local)]


BLOCK = "    with op.get_context().autocommit_block():\n        op.execute('VACUUM t')\n"


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ([], {}),
        (["missing-downgrade"], {"downgrade": ""}),
        (["missing-downgrade"], {"downgrade": "def downgrade():\n    pass"}),
        (["missing-downgrade"], {"downgrade": 'def downgrade():\n    """Nothing."""\n    return None'}),
        (["missing-downgrade"], {"downgrade": "def downgrade():\n    raise NotImplementedError"}),
        ([], {"downgrade": "from helpers import downgrade"}),
        ([], {"ids": 'revision = "m"\ndown_revision = ("a", "b")', "upgrade": "def upgrade():\n    pass", "downgrade": "def downgrade():\n    pass"}),
        (["empty-message"], {"doc": '"""\nRevision ID: r1\n"""'}),
        ([], {"upgrade": 'def upgrade():\n    """A mark."""', "downgrade": "def downgrade():\n    pass"}),
        (["missing-downgrade"], {"ids": 'revision = "m"\ndown_revision = ("a", "b")', "downgrade": "def downgrade():\n    pass"}),
        (["empty-message"], {"doc": ""}),
        (["application-import"], {"imports": "from alembic import op\nimport sqlalchemy as sa\nfrom shop.models import Order"}),
        (["application-import"], {"imports": "from alembic import op\nimport sqlalchemy as sa\nfrom . import helpers"}),
        (["application-import"], {"upgrade": "def upgrade():\n    if True:\n        import shop"}),
        ([], {"imports": "import os, re\nfrom alembic import op\nimport sqlalchemy as sa\nimport sqlalchemy_utils\nfrom sqlalchemy.dialects import postgresql"}),
        (["orm-in-revision"], {"imports": "from alembic import op\nimport sqlalchemy as sa\nfrom sqlalchemy.orm import Session"}),
        (["mixed-transaction"], {"upgrade": f"def upgrade():\n    op.drop_table('a')\n{BLOCK}"}),
        ([], {"upgrade": f"def upgrade():\n{BLOCK}"}),
        (["narrows-type"], {"upgrade": 'def upgrade():\n    op.alter_column("t", "a", type_=sa.String(10), existing_type=sa.String(20))'}),
        ([], {"upgrade": 'def upgrade():\n    op.alter_column("t", "a", type_=sa.String(10))'}),
        (["unreadable-revision"], {"upgrade": "def upgrade(:"}),
    ],
)  # fmt: skip
def test_one_file(told: list[str], parts: dict[str, str]) -> None:
    """What its text alone gives reason to say; names of modules beside the project are known."""
    assert codes(("shop", "os", "alembic"), **parts) == told


@pytest.mark.parametrize(
    ("after", "before", "narrower"),
    [
        (("String", (10,)), ("String", (20,)), True),
        (("String", (20,)), ("VARCHAR", (10,)), False),
        (("String", ()), ("String", (10,)), False),
        (("String", (10,)), ("Text", ()), True),
        (("String", (20,)), ("Text", (20,)), False),
        (("Integer", ()), ("BigInteger", ()), True),
        (("BIGINT", ()), ("Integer", ()), False),
        (("Numeric", (10, 2)), ("Numeric", (10, 4)), True),
        (("Numeric", (12, 2)), ("Numeric", (10, 2)), False),
        (("Numeric", (12, 4)), ("Numeric", (10, 2)), False),
        (("Numeric", (11, 4)), ("Numeric", (10, 2)), True),
        (("Date", ()), ("DateTime", ()), True),
        (("Enum", ()), ("String", (10,)), False),
    ],
)
def test_what_is_narrower(
    after: tuple[str, tuple[int, ...]], before: tuple[str, tuple[int, ...]], narrower: bool
) -> None:
    """Only where the names of both types say so."""
    types = [TypeText(name=name, arguments=arguments) for name, arguments in (after, before)]
    assert is_narrower(*types) is narrower


def listed(name: str, *down: str, file: str = "", **more: tuple[str, ...]) -> Listed:
    return Listed(
        revision=name,
        file=file or f"versions/{name}_x.py",
        sha256=f"sha-{name}",
        down=down,
        depends_on=more.get("depends_on", ()),
        labels=more.get("labels", ()),
    )


def test_a_file_that_is_missing() -> None:
    """What follows it is no head of its own, and a merge would not mend it."""
    (finding,) = project_findings([listed("a"), listed("c", "b")])
    assert (finding.code, finding.where) == ("missing-file", listed("c").file)
    assert "follows b" in finding.message


def test_several_heads() -> None:
    """Unless all but one are branches with a label, which are meant to stay apart."""
    forked = [listed("a"), listed("b", "a"), listed("c", "a")]
    (finding,) = project_findings(forked)
    assert (finding.code, finding.message) == ("multiple-heads", "the project has 2 heads: b, c")
    apart = [listed("a", labels=("x",)), listed("b", "a"), listed("c", labels=("y",))]
    assert project_findings(apart) == ()
    assert project_findings([*forked, listed("m", "b", "c")]) == ()
    assert project_findings([*forked[:2], listed("d", "b", depends_on=("a",))]) == ()


def test_numbers_in_front_of_files() -> None:
    """A number that two files share; never a date, and never an identifier."""
    same = [listed("a", file="v/0042_a.py"), listed("b", "a", file="v/0042_b.py")]
    (finding,) = project_findings(same)
    assert (finding.code, finding.where) == ("duplicate-prefix", "v/0042_b.py")
    dates = [listed("a", file="v/2024_01_02_a.py"), listed("b", "a", file="v/2024_01_02_b.py")]
    assert project_findings(dates) == ()
    ids = [listed("12_a", file="v/12_a_x.py"), listed("12_b", "12_a", file="v/12_b_x.py")]
    assert project_findings(ids) == ()


def deeds_of(*contents: tuple[str, str]) -> dict[str, Deed]:
    return {
        revision: Deed(revision=revision, sha256=sha256, run="run-1", at=NOON, applied=True)
        for revision, sha256 in contents
    }


def test_what_was_applied_stays_as_it_was() -> None:
    """Edited, or gone, with every environment that has it; the same content is no remark."""
    here = [listed("a"), listed("b", "a")]
    done = {
        "dev": deeds_of(("a", "sha-a"), ("b", "old"), ("c", "sha-c"), ("d", "")),
        "prod": deeds_of(("b", "old")),
        "test": {"b": replace(deeds_of(("b", "old"))["b"], applied=False)},
    }
    edited, deleted = journal_findings(here, done)
    assert (edited.code, edited.severity, edited.where) == (
        "edited-revision",
        "error",
        "versions/b_x.py",
    )
    assert "applied to dev, prod" in edited.message
    assert (deleted.code, deleted.where) == ("deleted-revision", "dev")
    assert [one.code for one in journal_findings(here, done, complete=False)] == ["edited-revision"]


def test_a_comment_silences_a_rule_with_a_reason() -> None:
    """In its own file, and only as a comment; what it silences is not said."""
    source = read(downgrade="# orchestrate: ignore[missing-downgrade] a backup is the way back")
    remarks = [Remark(finding=one) for one in source_findings(source)]
    assert [one.finding.code for one in remarks] == ["missing-downgrade"]
    assert heeded(source, remarks, frozenset(RULES)) == ()
    text = read(downgrade='X = "# orchestrate: ignore[missing-downgrade] no"')
    assert text.ignores == ()


@pytest.mark.parametrize(
    ("comment", "judged", "told"),
    [
        ("ignore[missing-downgrade]", {"missing-downgrade"}, "ignore-without-reason"),
        ("ignore[] because", set(), "ignore-without-reason"),
        ("ignore[empty-message] because", {"empty-message"}, "unused-ignore"),
        ("ignore[blocks-writes] because", {"empty-message"}, None),
        ("ignore[missing-downgrad] because", set(), "unused-ignore"),
        ("ignore[squawk-renaming-column] because", set(), None),
    ],
)
def test_comments_that_are_remarked_on(comment: str, judged: set[str], told: str | None) -> None:
    """Without a reason, without an effect, or of a rule that there is not."""
    source = read(downgrade=f"# orchestrate: {comment}")
    remarks = [Remark(finding=one) for one in source_findings(source)]
    codes_told = [one.code for one in heeded(source, remarks, judged)]
    assert codes_told == ["missing-downgrade", *([told] if told else [])]


def test_what_was_found_in_a_small_table_needs_its_comment() -> None:
    """A comment is used where its rule would speak of a larger table."""
    source = read(downgrade=PARTS["downgrade"] + "\n# orchestrate: ignore[blocks-writes] at night")
    quiet = Remark(finding=found("blocks-writes", "x", where=None), told=False)
    assert heeded(source, [quiet], {"blocks-writes"}) == ()


def test_every_policy_has_its_rules() -> None:
    """The keys of `policy` in a spec, each with what it decides on."""
    by_key: dict[str | None, set[str]] = {}
    for code in RULES:
        by_key.setdefault(policy_of(code), set()).add(code)
    assert by_key["missing-downgrade"] == {"missing-downgrade"}
    assert by_key["edited-revision"] == {"edited-revision", "deleted-revision"}
    assert {"drops-table", "loses-data", "narrows-type"} < by_key["destructive"]
    assert {"rewrites-table", "blocks-writes"} < by_key["long-lock"]
    assert policy_of("squawk-renaming-column") is None


@pytest.mark.parametrize(
    "body",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + " + ".join(["'a'"] * 20000),
        "if a: pass\n" + "".join(f"    elif a == {n}: pass\n" for n in range(3000)),
    ],
)
def test_python_that_is_nested_deeply(body: str) -> None:
    """It is no defect of ours, whoever wrote it: the file has a problem, or it is read."""
    found = read_revision(
        "versions/r1.py", f"revision = 'r1'\ndef upgrade():\n    {body}\n".encode()
    )
    assert found is not None
    assert found.problem or found.revision == "r1"
