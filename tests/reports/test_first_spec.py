"""The files that `init` writes, down to what stands in their comments."""

import re
from pathlib import Path

from orchestrate.domain.surroundings import Config, Section
from orchestrate.planning.first_spec import NewEnvironment, project_for
from orchestrate.reports.first_spec import first_spec_files
from orchestrate.stores.new_spec import checked_spec

CONFIG = Config(
    path="alembic.ini",
    directory=".",
    sections=(Section(name="alembic", script_location="migrations", scheme=None),),
    env=None,
)


def test_what_is_commented_out_is_valid_as_well(tmp_path: Path) -> None:
    """Whoever takes a `#` away has a spec that says what was meant, on every kind of URL."""
    project = project_for(CONFIG, "main", runner=None, inject={}, directory=None)
    environments = [
        NewEnvironment(name="staging", url="sqlite:///staging.db"),
        NewEnvironment(name="eu prod: 1", url={"env": "PROD_URL"}),
        NewEnvironment(name="my", url="mysql://app@db/x"),
    ]
    files = first_spec_files([project], environments, alternatives=["{python: python3}"])
    plain = checked_spec(files, spec_name="migrations.yaml", folder=tmp_path)
    assert [one.declares("approval") for one in plain.environments] == [False] * 3

    used = {
        name: "\n".join(re.sub(r"^# (?=[a-z_]+: )", "", line) for line in text.splitlines())
        for name, text in files.items()
        if name != "migrations.yaml"
    }
    spec = checked_spec(
        {**used, "migrations.yaml": files["migrations.yaml"]},
        spec_name="migrations.yaml",
        folder=tmp_path,
    )

    for one in spec.environments:
        for key in ("lock_timeout", "approval", "window", "backup", "policy", "verify"):
            assert one.declares(key), key
    strategies = {one.name: one.backup and one.backup.strategy for one in spec.environments}
    assert strategies == {"staging": "sqlite", "eu prod: 1": "pg_dump", "my": "mysqldump"}
    assert spec.environment("eu prod: 1").after is not None
