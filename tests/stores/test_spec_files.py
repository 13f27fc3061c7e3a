"""Reading a spec: where it is found, what it includes, how defaults lie under environments."""

from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import CommandRunner, Environment, LoadedSpec, PythonRunner
from orchestrate.domain.spec_sources import EnvSource
from orchestrate.errors import OrchestrateError
from orchestrate.stores.spec_files import load_spec
from orchestrate.stores.yaml_marks import read_yaml

CANARY = "canary-4711"


def attempted(folder: Path) -> tuple[OrchestrateError | None, LoadedSpec | None]:
    """Return the error of reading the spec there, or the spec."""
    try:
        return None, load_spec(None, start=folder)
    except OrchestrateError as error:
        return error, None


def findings_of(error: OrchestrateError | None) -> list[Finding]:
    """Return an error's findings with their type."""
    found = error.findings if error else ()
    return [finding for finding in found if isinstance(finding, Finding)]


def write(folder: Path, **files: str) -> Path:
    """Write files by name, `__` standing for `/`; return the folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_nearest_spec_above_is_found(tmp_path: Path) -> None:
    """A command works from any folder below the spec."""
    write(tmp_path, migrations="version: 1\n", environments__dev="name: dev\nurl: {env: A}\n")
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)

    spec = load_spec(None, start=below)

    assert spec.path == tmp_path / "migrations.yaml"
    assert spec.folder == tmp_path
    assert [environment.name for environment in spec.environments] == ["dev"]


def test_no_spec_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Without a spec the user is told how to get one."""
    with pytest.raises(OrchestrateError) as raised:
        load_spec(None, start=tmp_path)

    assert raised.value.code == "spec-not-found"
    assert raised.value.hint == (
        "`orchestrate init` writes one for the Alembic project here; `--spec FILE` names "
        "another place"
    )


def test_named_spec_is_relative_to_where_one_stands(tmp_path: Path) -> None:
    """`--spec FILE` takes any name, and its folder is what paths are relative to."""
    write(tmp_path, conf__other="include: e/*.yaml\n", conf__e__dev="name: dev\nurl: {env: A}\n")

    spec = load_spec(Path("conf/other.yaml"), start=tmp_path)

    assert spec.folder == tmp_path / "conf"
    assert str(spec.environments[0].source) == "e/dev.yaml:1:7"


def test_named_spec_has_to_be_there(tmp_path: Path) -> None:
    """A missing `--spec FILE` is not looked for elsewhere."""
    write(tmp_path, migrations="version: 1\n")

    with pytest.raises(OrchestrateError) as raised:
        load_spec(Path("other.yaml"), start=tmp_path)

    assert raised.value.code == "spec-not-found"


def test_files_are_included_in_order_and_once(tmp_path: Path) -> None:
    """Patterns keep their order, files of one pattern are sorted, none is read twice."""
    write(
        tmp_path,
        migrations="include: [environments/b.yaml, environments/*.yaml]\n",
        environments__a="name: a\nurl: {env: A}\n",
        environments__b="name: b\nurl: {env: B}\n",
        environments__c="name: c\nurl: {env: C}\n",
    )

    spec = load_spec(None, start=tmp_path)

    assert [environment.name for environment in spec.environments] == ["b", "a", "c"]


def test_pattern_without_file_is_a_warning(tmp_path: Path) -> None:
    """A folder that is still empty does not stop anything."""
    write(tmp_path, migrations="include: [conf/*.yaml]\nenvironments: {dev: {url: {env: A}}}\n")

    spec = load_spec(None, start=tmp_path)

    assert [(f.code, f.severity, f.where) for f in spec.findings] == [
        ("no-match", "warning", "migrations.yaml:1:11")
    ]


def test_default_is_replaced_whole(tmp_path: Path) -> None:
    """A key of an environment replaces the default of that key and leaves the others."""
    write(
        tmp_path,
        migrations=(
            "defaults:\n  lock_timeout: 5s\n  lock_retries: 3\n"
            "  window: {timezone: UTC, open: ['daily 01:00-02:00'], freeze: ['2026-12-24']}\n"
        ),
        environments__prod=(
            "name: prod\nurl: {env: A}\nlock_timeout: 9s\n"
            "window: {timezone: UTC, open: ['sat 01:00-02:00']}\n"
        ),
        environments__dev="name: dev\nurl: {env: A}\n",
    )

    spec = load_spec(None, start=tmp_path)
    prod, dev = spec.environment("prod"), spec.environment("dev")

    assert (prod.lock_timeout, prod.lock_retries, dev.lock_timeout) == (9, 3, 5)
    assert prod.window is not None
    assert prod.window.freeze == ()
    assert dev.window is not None
    assert dev.window.freeze == ("2026-12-24",)
    assert prod.where("lock_retries") == "migrations.yaml:3:3"
    assert prod.where("lock_timeout") == "environments/prod.yaml:3:1"


def test_environments_may_stand_in_the_spec_itself(tmp_path: Path) -> None:
    """A small spec is one file."""
    write(tmp_path, migrations="environments:\n  dev: {url: sqlite:///dev.db, aliases: [d]}\n")

    environment = load_spec(None, start=tmp_path).environment("d")

    assert (environment.name, environment.url) == ("dev", "sqlite:///dev.db")
    assert str(environment.source) == "migrations.yaml:2:3"


def test_anchors_merge_and_notes_are_free(tmp_path: Path) -> None:
    """Keys that begin with `x-` hold anchors; `<<` merges them, own keys win."""
    write(
        tmp_path,
        migrations=(
            "x-common: &common {lock_timeout: 5s, to: abc}\n"
            "environments:\n  dev: {<<: *common, url: {env: A}, to: heads}\n"
        ),
    )

    dev = load_spec(None, start=tmp_path).environment("dev")

    assert (dev.lock_timeout, dev.to) == (5, "heads")


@pytest.mark.parametrize("revision", ["0123", "12e4", "123456789012", "1_000", "no", "22:30"])
def test_revision_is_what_it_looks_like(revision: str, tmp_path: Path) -> None:
    """Identifiers that YAML 1.1 takes for numbers, truths or times stay as they are written."""
    write(tmp_path, migrations=f"environments:\n  dev: {{url: {{env: A}}, to: {revision}}}\n")

    assert load_spec(None, start=tmp_path).environment("dev").to == revision


def test_project_of_an_environment(tmp_path: Path) -> None:
    """Each environment names one of several projects, with a runner of its own if it likes."""
    write(
        tmp_path,
        migrations="projects:\n  a: {runner: {python: venv/bin/python}}\n  b: {}\n",
        environments__x="name: x\nproject: a\nurl: {env: A}\n",
        environments__y="name: y\nproject: b\nurl: {env: A}\nrunner: {command: [ssh, h, python]}\n",
    )

    spec = load_spec(None, start=tmp_path)

    x, y = spec.environments
    assert spec.project_of(x).runner == PythonRunner(python="venv/bin/python")
    assert spec.project_of(y).runner == "local"
    assert y.runner == CommandRunner(command=("ssh", "h", "python"))
    assert str(spec.project_of(x).source) == "migrations.yaml:2:3"


def test_unknown_environment_names_the_nearest(tmp_path: Path) -> None:
    """A typo on the command line is answered with what there is."""
    write(
        tmp_path,
        migrations="environments: {prod: {url: {env: A}, aliases: [live]}, dev: {url: {env: B}}}",
    )

    with pytest.raises(OrchestrateError) as raised:
        load_spec(None, start=tmp_path).environment("prd")

    assert raised.value.code == "unknown-environment"
    assert raised.value.message == "no environment is called `prd`"
    assert raised.value.hint == "did you mean `prod`? the spec has `prod`, `dev`"


DIGEST_SPEC = "environments:\n  dev: {url: {env: A}, lock_timeout: 5s}\n  prod: {url: {env: B}}\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (DIGEST_SPEC.replace("{env: B}", "{env: C}"), True),
        ("# a comment\n" + DIGEST_SPEC.replace("lock_timeout: 5s", "lock_timeout:   '5s'"), True),
        ("state: sqlite:///other.db\n" + DIGEST_SPEC, True),
        (DIGEST_SPEC.replace("5s", "6s"), False),
        (DIGEST_SPEC.replace("{env: A}", "{env: Z}"), False),
        ("defaults: {lock_retries: 3}\n" + DIGEST_SPEC, False),
        ("project: {transactions: native}\n" + DIGEST_SPEC, False),
    ],
)
def test_digest_covers_the_environment_and_its_project(
    text: str, same: bool, tmp_path: Path
) -> None:
    """It changes with what is written for the environment, and with nothing else."""
    before = load_spec(None, start=write(tmp_path / "a", migrations=DIGEST_SPEC))
    after = load_spec(None, start=write(tmp_path / "b", migrations=text))

    digests = [spec.spec_digest(spec.environment("dev")) for spec in (before, after)]

    assert (digests[0] == digests[1]) is same


def test_digest_is_the_same_in_every_version(tmp_path: Path) -> None:
    """An approval outlives an upgrade: the digest is of these very bytes."""
    spec = load_spec(None, start=write(tmp_path, migrations=DIGEST_SPEC))
    written = b'{"environment":{"lock_timeout":"5s","name":"dev","url":{"env":"A"}},"project":{}}'

    assert spec.spec_digest(spec.environment("dev")) == sha256(written).hexdigest()


def test_spec_shows_no_password(tmp_path: Path) -> None:
    """A password that is written in spite of all is in nothing that can be printed."""
    write(
        tmp_path,
        migrations=f"state: postgresql://u:{CANARY}@h/d\ndefaults: {{url: 'mysql://u:{CANARY}@h/d'}}\n",
        environments__a=f"name: a\nurl: postgresql://u:{CANARY}@h/d\nnotify: ['mailto://u:{CANARY}@h']\n",
        environments__b=f"name: b\nurl: {{env: 'X={CANARY}'}}\n",
        environments__c=f"name: c\nurl: [postgresql://u:{CANARY}@h/d]\n",
        environments__d=f"name: d\npostgresql://u:{CANARY}@h/d: x\nurl: {{postgresql://u:{CANARY}@h: x}}\n",
        environments__e=f"name: e\nurl: postgresql://u:*{CANARY}@h/d: '\n",
        environments__f=f"name: f\nurl: {{template: x, values: {{password: {CANARY}}}}}\n",
        environments__g=f"name: g\nurl: {{env: A}}\ntunnel: postgresql://u:{CANARY}@h\n",
        environments__h=f"name: h\nurl: *{CANARY}\n",
        environments__i=f"name: i\nurl: !{CANARY} x\n",
    )

    with pytest.raises(OrchestrateError) as raised:
        load_spec(None, start=tmp_path)

    error = raised.value
    assert CANARY not in f"{error.message}{error.hint}{error.findings}{error.details}"
    assert error.__cause__ is None
    assert len({finding.where for finding in findings_of(error)}) >= 11


_KEYS = sorted({*Environment.model_fields, "env", "sql", "command", "open", "size", "list", "x"})
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
_ENVIRONMENTS = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spec=_VALUES, environment=_ENVIRONMENTS)
def test_any_value_gives_findings_and_no_traceback(
    spec: object, environment: object, tmp_path: Path
) -> None:
    """Whatever stands in the files, the reader says what is wrong, at a place in them."""
    (tmp_path / "environments").mkdir(exist_ok=True)
    (tmp_path / "migrations.yaml").write_text(yaml.safe_dump(spec))
    (tmp_path / "environments" / "a.yaml").write_text(yaml.safe_dump(environment))

    error, loaded = attempted(tmp_path)

    assert error is None or error.code == "spec-invalid"
    for finding in findings_of(error):
        assert finding.where
        assert finding.code != "internal"
    assert all(loaded.spec_digest(one) for one in loaded.environments) if loaded else error


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="{}[]&*!<:?-|>%@`'\"#, \n\tab0", max_size=80).map(str.encode)
)
def test_any_bytes_give_a_document(content: bytes) -> None:
    """Bytes that are no YAML become findings too."""
    document = read_yaml(content, "a.yaml")

    assert all(
        finding.where and finding.where.startswith("a.yaml:") for finding in document.findings
    )


def test_source_is_kept_as_a_reference(tmp_path: Path) -> None:
    """Loading looks at no environment variable."""
    write(tmp_path, migrations="environments: {prod: {url: {env: NOT_SET_ANYWHERE}}}\n")

    assert load_spec(None, start=tmp_path).environments[0].url == EnvSource(env="NOT_SET_ANYWHERE")
