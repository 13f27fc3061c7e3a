"""Where URLs come from: every source, what it says when it gives nothing, and secrets kept."""

import json
import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from orchestrate.adapters.rendering import TemplateMistakeError, render, render_url
from orchestrate.adapters.url_sources import check_sources, resolve_state_url, resolve_url
from orchestrate.domain.spec import LoadedSpec
from orchestrate.errors import OrchestrateError
from orchestrate.stores.spec_files import load_spec

HARD = "c%n#a@r/y 47:11?&=é+"
ENCODED = "c%25n%23a%40r%2Fy%2047%3A11%3F%26%3D%C3%A9%2B"
CANARY = "canary-4711"


def spec_of(folder: Path, url: object, **more: object) -> LoadedSpec:
    """Return a spec with one environment, `prod`, that has this URL."""
    value = {"environments": {"prod": {"url": url}}, **more}
    (folder / "migrations.yaml").write_text(json.dumps(value))
    return load_spec(None, start=folder)


def resolved(folder: Path, url: object, **environ: str) -> str:
    """Return the full text of the URL of `prod`."""
    spec = spec_of(folder, url)
    return resolve_url(spec, spec.environments[0], environ=environ).secret.reveal()


def refused(folder: Path, url: object, **environ: str) -> tuple[str, str | None]:
    """Return message and hint of the error, in which no canary may be."""
    spec = spec_of(folder, url)
    with pytest.raises(OrchestrateError) as raised:
        resolve_url(spec, spec.environments[0], environ=environ)
    error = raised.value
    assert error.code == "url-unavailable"
    assert error.where == "migrations.yaml:1:28"
    assert CANARY not in f"{error!r}{error.message}{error.hint}{error.details}{error.__cause__}"
    return error.message, error.hint


def test_literal(tmp_path: Path) -> None:
    """A URL without password is taken as it is written; SQLite's path stays relative."""
    assert resolved(tmp_path, "sqlite:///data/dev.db") == "sqlite:///data/dev.db"


def test_literal_with_a_variable_in_it(tmp_path: Path) -> None:
    """`{{ env.NAME }}` stands for a variable; in the place of a password it is encoded."""
    url = resolved(tmp_path, "postgresql://app:{{ env.PW }}@{{ env.HOST }}/x", PW=HARD, HOST="db:1")

    assert url == f"postgresql://app:{ENCODED}@db:1/x"
    assert make_url(url).password == HARD


def test_variable(tmp_path: Path) -> None:
    """An environment variable."""
    assert resolved(tmp_path, {"env": "U"}, U="mysql://a:b@h/d ") == "mysql://a:b@h/d"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("KEY=sqlite:///a.db", "sqlite:///a.db"),
        ("export KEY='sqlite:///a#b.db'", "sqlite:///a#b.db"),
        ('KEY="sqlite:///a=b.db" # comment', "sqlite:///a=b.db"),
        ("# KEY=no\n\nKEY = sqlite:///a.db", "sqlite:///a.db"),
        ("KEY=postgresql://u:p%40=x@h/d", "postgresql://u:p%40=x@h/d"),
    ],
)
def test_dotenv(line: str, value: str, tmp_path: Path) -> None:
    """A `.env` file means what python-dotenv makes of it."""
    (tmp_path / ".env").write_text(f"OTHER=1\n{line}\n")

    assert resolved(tmp_path, {"dotenv": ".env", "key": "KEY"}) == value


def test_file(tmp_path: Path) -> None:
    """A secret's file; one line break at its end does not belong to it."""
    (tmp_path / "url").write_text("sqlite:///a.db\n")

    assert resolved(tmp_path, {"file": "url"}) == "sqlite:///a.db"


def test_command(tmp_path: Path) -> None:
    """The last line that a program prints; it runs in the spec's folder."""
    program = "import os; print('Loading'); print('sqlite:///' + os.path.basename(os.getcwd()))"

    url = resolved(tmp_path, {"command": [sys.executable, "-c", program]}, **os.environ)

    assert url == f"sqlite:///{tmp_path.name}"


def test_command_that_prints_json(tmp_path: Path) -> None:
    """With a template the whole output counts, and `from_json` reads it."""
    program = f'print(\'{{\\n "user": "app",\\n "password": "{HARD}"}}\')'
    template = "postgresql://{{ (value | from_json).user }}:{{ (value | from_json).password }}@h/d"
    source = {"command": [sys.executable, "-X", "utf8", "-c", program], "template": template}

    assert resolved(tmp_path, source, **os.environ) == f"postgresql://app:{ENCODED}@h/d"


def test_ini(tmp_path: Path) -> None:
    """An ini file, interpolated as Alembic does it."""
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nsqlalchemy.url = sqlite:///%(here)s/a%%20b.db\n"
        "[production]\nsqlalchemy.url = mysql://h/d\n"
    )

    assert resolved(tmp_path, {"ini": "alembic.ini"}) == f"sqlite:///{tmp_path.as_posix()}/a%20b.db"
    assert resolved(tmp_path, {"ini": "alembic.ini", "section": "production"}) == "mysql://h/d"


def test_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the system's keyring."""
    fake: Any = types.ModuleType("keyring")
    fake.get_password = lambda service, user: f"sqlite:///{service}-{user}.db"
    monkeypatch.setitem(sys.modules, "keyring", fake)

    url = resolved(tmp_path, {"keyring": {"service": "s", "user": "u"}})

    assert url == "sqlite:///s-u.db"


def test_template_of_several_sources(tmp_path: Path) -> None:
    """Parts from different places; what is filtered with `urlencode` is not encoded twice."""
    (tmp_path / "pw").write_text(f"{HARD}\n")
    source = {
        "template": "postgresql://{{ user }}:{{ pw | urlencode }}@h/{{ name }}?options={{ user }}",
        "values": {"user": {"env": "DB_USER"}, "pw": {"file": "pw"}, "name": "app"},
    }

    url = resolved(tmp_path, source, DB_USER="a b")

    assert url == f"postgresql://a%20b:{ENCODED}@h/app?options=a%20b"


def test_a_whole_url_may_be_filled_in(tmp_path: Path) -> None:
    """Outside of user and password a value stays as it is."""
    url = resolved(tmp_path, "{{ env.BASE }}/{{ environment.name }}", BASE="mysql://a:b%40@h:1")

    assert url == "mysql://a:b%40@h:1/prod"


@given(password=st.text(min_size=1))
def test_any_password_survives_a_template(password: str) -> None:
    """What goes in as a password comes out of SQLAlchemy as that password."""
    text = render_url("postgresql://app:{{ pw }}@db/x", {"pw": password})

    assert make_url(text).password == password
    assert make_url(text).host == "db"


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ({"env": "NOPE"}, "the environment variable `NOPE` is not set", "set it: `export NOPE=…`"),
        ({"env": "EMPTY"}, "the environment variable `EMPTY` is empty", None),
        ("sqlite:///{{ env.NOPE }}.db", "the environment variable `NOPE` is not set", None),
        ("sqlite:///{{ nope }}.db", "the template: `nope` is undefined", None),
        ({"dotenv": ".env", "key": "NOPE"}, "`.env` has no `NOPE`", None),
        ({"dotenv": "no.env", "key": "A"}, "there is no file `no.env`", None),
        ({"file": "nope"}, "there is no file `nope`", None),
        ({"file": "folder"}, "`folder` is a folder, expected a file", None),
        ({"file": "latin"}, "the file `latin` is not UTF-8", None),
        ({"file": "secret"}, "the file `secret` gave no database URL: it has no `://`", "a URL looks like `postgresql+psycopg://user@host/database`"),
        ({"ini": "a.ini", "section": "prod"}, "`a.ini` has no section `prod`", "it has `alembic`"),
        ({"ini": "a.ini", "key": "url"}, "there is no `url` in section `alembic` of `a.ini`", None),
        ({"ini": "a.ini", "key": "bad"}, "`bad` in section `alembic` of `a.ini` has a `%` that stands for nothing", "an ini file has `%` doubled: `%%`"),
        ({"ini": "secret"}, "`secret` is not an ini file", None),
        ({"command": ["./nope"]}, "the command `./nope` cannot be started: no such file or directory", None),
        ({"command": ["sh", "-c", f"echo {CANARY}; echo bad {CANARY} >&2; exit 3"]}, "the command `sh` failed with exit status 3", "it said: bad ***"),
        ({"command": ["sh", "-c", f"echo postgresql://u:{CANARY}@@h"]}, "the command `sh` gave no database URL: user or password have a character that has to be encoded", "in a URL `@` is written `%40`, `/` `%2F`, `:` `%3A`, `#` `%23`, `%` `%25`"),
        ({"command": ["sh", "-c", "true"]}, "the command `sh` is empty", None),
        ({"command": ["sleep", "30"], "timeout": "50ms"}, "the command `sleep` took longer than 0.05s", "`timeout:` gives it longer"),
        ({"env": "CANARY", "template": "x://{{ value | int('x') + 1 }}"}, "the template fails with TypeError", None),
        ({"env": "CANARY", "template": "x://{{ value"}, "the template is wrong: unexpected end of template, expected `end of print statement`.", None),
        ({"env": "CANARY", "template": "{{ value.__class__.__mro__ }}"}, "the template fails with SecurityError", None),
    ],
)  # fmt: skip
def test_what_gives_nothing_says_so(
    source: object, message: str, hint: str | None, tmp_path: Path
) -> None:
    """The error names the source and never what was read from it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / ".env").write_text(f"A={CANARY}\n")
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "latin").write_bytes(b"\xe4")
    (tmp_path / "a.ini").write_text(f"[alembic]\nbad = {CANARY}%x\n")
    environ = {"EMPTY": "", "CANARY": CANARY, "PATH": os.environ["PATH"]}

    told = refused(tmp_path, source, **environ)

    assert told == (f"environment `prod`: {message}", hint)


def test_keyring_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional library is asked for by name."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert refused(tmp_path, {"keyring": {"service": "s", "user": "u"}}) == (
        "environment `prod`: a keyring is declared and the library `keyring` is not installed",
        "install `orchestrate[keyring]`",
    )


def test_all_sources_are_checked_at_once(tmp_path: Path) -> None:
    """`validate` names every source that gives nothing, and runs no command."""
    (tmp_path / "open").write_text("sqlite:///a.db")
    (tmp_path / "open").chmod(0o644)
    environments = {
        "a": {"url": {"env": "A_URL"}, "notify": [{"env": "A_NOTIFY"}]},
        "b": {"url": {"file": "missing"}},
        "c": {"url": {"command": ["touch", "ran"]}},
        "d": {"url": {"file": "open"}},
        "e": {"url": {"template": "{{ x }}", "values": {"x": {"command": ["touch", "ran"]}}}},
        "f": {"url": "mysql://{{ usr }}@h/d"},
    }
    (tmp_path / "migrations.yaml").write_text(
        json.dumps({"state": {"env": "STATE"}, "environments": environments})
    )
    spec = load_spec(None, start=tmp_path)

    found = check_sources(spec, environ={})

    assert [(one.code, one.severity, one.message) for one in found] == [
        ("unset-variable", "error", "`state`: the environment variable `STATE` is not set"),
        ("unset-variable", "error", "environment `a`: the environment variable `A_URL` is not set"),
        ("unset-variable", "error", "environment `a`, `notify[0]`: the environment variable `A_NOTIFY` is not set"),
        ("missing-file", "error", "environment `b`: there is no file `missing`"),
        ("world-readable", "warning", "environment `d`: every user of this machine can read `open`: chmod 600"),
        ("bad-template", "error", "environment `f`: the template: `usr` is undefined"),
    ]  # fmt: skip
    assert all(one.where and one.where.startswith("migrations.yaml:1:") for one in found)
    assert not (tmp_path / "ran").exists()


def test_environment_is_resolved_alone(tmp_path: Path) -> None:
    """Development works on a machine that knows nothing of production."""
    (tmp_path / "migrations.yaml").write_text(
        "environments: {dev: {url: 'sqlite:///dev.db'}, prod: {url: {env: NOT_HERE}}}"
    )
    spec = load_spec(None, start=tmp_path)

    assert resolve_url(spec, spec.environment("dev"), environ={}).database == "dev.db"


@pytest.mark.parametrize(
    ("state", "path"),
    [
        (None, "{folder}/.orchestrate/state.db"),
        ("sqlite:///s.db", "{folder}/s.db"),
        ("sqlite:////srv/s.db", "/srv/s.db"),
    ],
)
def test_state_is_beside_the_spec(state: str | None, path: str, tmp_path: Path) -> None:
    """The journal is the same one from whichever folder a command is given."""
    more = {"state": state} if state else {}
    url = resolve_state_url(spec_of(tmp_path, "sqlite://", **more), environ={})

    assert url.database == path.format(folder=tmp_path)


def test_shared_state_comes_from_any_source(tmp_path: Path) -> None:
    """A team's state store has its URL where the others have theirs."""
    spec = spec_of(tmp_path, "sqlite://", state={"env": "STATE"})

    url = resolve_state_url(spec, environ={"STATE": f"postgresql://u:{CANARY}@h/d"})

    assert (url.safe, url.password and url.password.reveal()) == ("postgresql://u:***@h/d", CANARY)


def test_templates_have_no_way_out() -> None:
    """A template reaches values, not Python."""
    with pytest.raises(TemplateMistakeError, match="SecurityError"):
        render("{{ ''.__class__.__mro__ }}", {})
    assert render("{{ none }}|{{ 'a%b' }}", {}) == "|a%b"


def test_commands_of_these_tests_are_there() -> None:
    """The table above needs these programs."""
    assert all(shutil.which(name) for name in ("sh", "sleep", "touch"))
