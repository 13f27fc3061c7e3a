"""Protections that are declared and not enforced close the gate, each by name."""

import json
from pathlib import Path

import pytest

from orchestrate.planning.spec_checks import not_enforced
from orchestrate.stores.spec_files import load_spec

DECLARED = {
    "targets": {"glob": "*.db"},
}


def codes(folder: Path, **spec: object) -> list[tuple[str, str | None]]:
    """Return message's first word and place for each finding of `prod`."""
    environments = {"staging": {"url": "sqlite:///s.db"}, **spec.pop("environments", {})}  # type: ignore[dict-item]
    (folder / "migrations.yaml").write_text(json.dumps({**spec, "environments": environments}))
    loaded = load_spec(None, start=folder)
    found = not_enforced(loaded, loaded.environment("prod"))
    assert all(one.code == "not-enforced-yet" and one.severity == "error" for one in found)
    return [(one.message.split()[0].strip("`"), one.where) for one in found]


@pytest.mark.parametrize("key", DECLARED)
def test_each_protection_is_told_with_its_place(key: str, tmp_path: Path) -> None:
    """A protection that is only written down is none."""
    prod = {"url": "sqlite:///p.db", key: DECLARED[key]}

    assert codes(tmp_path, environments={"prod": prod}) == [(key, "migrations.yaml:1:91")]


def test_protection_from_defaults_counts(tmp_path: Path) -> None:
    """The place is that in `defaults`."""
    found = codes(
        tmp_path,
        defaults={"targets": {"glob": "*.db"}},
        environments={"prod": {"url": "sqlite:///p.db"}},
    )

    assert found == [("targets", "migrations.yaml:1:15")]


def test_what_protects_nothing_is_let_through(tmp_path: Path) -> None:
    """An explicit `backup: {strategy: none}`, timeouts and aliases need no gate."""
    prod = {
        "url": "sqlite:///p.db",
        "backup": {"strategy": "none"},
        "lock_timeout": "5s",
        "lock_retries": 3,
        "statement_timeout": "1m",
        "aliases": ["p"],
        "to": "heads",
        "inject": {"section": "x"},
        "runner": "local",
    }

    assert codes(tmp_path, environments={"prod": prod}) == []


def test_what_the_project_declares_is_kept(tmp_path: Path) -> None:
    """A runner behind SSH, a baseline, a tunnel of the environment's."""
    found = codes(
        tmp_path,
        project={"runner": {"ssh": {"host": "app1"}}, "baseline": {"stamp": "abc"}},
        environments={"prod": {"url": "postgresql://db/p", "tunnel": {"ssh": "bastion"}}},
    )

    assert found == []
