"""What `doctor` shows: an aligned list, and the YAML to paste."""

import click

from orchestrate.domain.diagnosis import Check
from orchestrate.reports.diagnoses import diagnoses_json, diagnoses_text

CHECKS = [
    Check(check="url", status="ok", message="`sqlite:///dev.db`"),
    Check(
        check="connection",
        status="problem",
        message="env.py connected to another database. By env A, B it connects",
        hint="Write under `project` in the spec:",
        keys={"inject": {"env": {"A": "{{ url }}", "B": "{{ url.host }}"}}, "sys_path": ["src"]},
    ),
    Check(check="git", status="warning", message="/app is no git checkout", hint="word " * 25),
]


def test_text() -> None:
    """Long sentences are wrapped under their column; what is to be pasted is not."""
    assert (
        click.unstyle(diagnoses_text({"dev": CHECKS, "prod": CHECKS[:1]}))
        == """\
dev
  ok       url         `sqlite:///dev.db`
  problem  connection  env.py connected to another database. By env A, B it connects
                       → Write under `project` in the spec:
                         inject: {env: {A: '{{ url }}', B: '{{ url.host }}'}}
                         sys_path: [src]
  warning  git         /app is no git checkout
                       → word word word word word word word word word word word word word word word
                       word word word word word word word word word word

  1 problem, 1 warning

prod
  ok       url  `sqlite:///dev.db`

  all well"""
    )


def test_json() -> None:
    """The keys as data, and as the lines that stand in the text."""
    value = diagnoses_json({"dev": CHECKS[:2]})
    assert value["environments"][0]["name"] == "dev"
    first, second = value["environments"][0]["checks"]
    assert first == {
        "check": "url",
        "status": "ok",
        "message": "`sqlite:///dev.db`",
        "hint": None,
    }
    assert second["yaml"].splitlines()[1] == "sys_path: [src]"
    assert second["keys"]["sys_path"] == ["src"]
