"""What known troubles mean here and what mends them: one sentence, one hint, one page. Pure.

The dialects recognise what a server or a driver says (`Recognised`), Alembic's own words are
recognised here; this module puts the environment's facts to them. `trouble_pages` lists the pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from orchestrate.domain.troubles import Recognised
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a target without having reached it. Holds no secret."""

    environment: str
    place: str
    """The database for people, by URL without user and password: `127.0.0.1:5432/app`."""
    server: str
    user: str | None
    origin: str
    """Where the URL comes from: `the environment variable `DEV_URL` (environments/dev.yaml:2)`."""
    runner: str
    """The command that starts the project's Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What happened and what to do; `trouble` names the page."""

    message: str
    hint: str | None
    trouble: str | None


def merge_command(environment: str) -> str:
    """Return what joins several heads."""
    return f"orchestrate alembic {environment} -- merge -m 'join heads' heads"


def placed(error: OrchestrateError, environment: str, standing: str = "") -> OrchestrateError:
    """Return an error of the project's graph with the environment that it was met in.

    `standing` says where its database is.
    """
    return OrchestrateError(
        error.code,
        f"{environment} is {standing}: {error.message}" if standing else error.message,
        hint=re.sub(r"\bENV\b", environment, error.hint) if error.hint else None,
        where=error.where or environment,
        trouble=error.trouble,
        details=error.details,
        findings=error.findings,
    )


# --- Looking at a target --------------------------------------------------------------------------

_CONNECTING: Final = {
    "host-unknown": "the host of `{server}` is unknown where the agent runs",
    "connection-refused": "nothing listens at `{server}`",
    "no-answer": "`{server}` gives no answer",
    "login-refused": "the server at `{server}` refused the password of `{user}`",
    "not-let-in": "the server at `{server}` does not let `{user}` into the database of the URL",
    "unknown-database": "the server at `{server}` has no such database: `{place}`",
    "tls": "`{server}` and the URL do not agree on TLS",
    "too-many-connections": "the server at `{server}` has no connection left for `{user}`",
    "connection-lost": "the server at `{server}` closed the connection",
    "driver-missing": "the project's Python ({runner}) has no driver for the URL",
}
"""What connecting came to, with the environment's facts; the driver's own words follow."""
_FROM_THE_URL: Final = frozenset(_CONNECTING) - {"driver-missing", "connection-lost"}

_GENERAL: Final = {
    "unreachable": "Check the environment's URL, and that the server runs and lets this user in",
    "wrong-database": "Nothing was done there. env.py does not take its URL from where `inject` "
    "puts it: `orchestrate doctor` finds out which option, variable, `-x` argument or attribute it "
    "reads, or give it a `hook`",
    "env-failed": "If env.py looks for its URL elsewhere, `orchestrate doctor` finds out where, "
    "for `inject`; `-v` shows what it prints",
    "env-writes": "Looking must not write. Have env.py leave its writes to the revisions, or say "
    "`probe: plain` in the project if they do no harm",
    "project-unreadable": "`alembic history` in the project's folder has to work first; `config`, "
    "`directory` and `sys_path` in the spec say where things are",
    "agent-failed": "`-v` shows what was printed; `runner` says how the project's own Python is "
    "reached",
    "agent-stalled": "`agent_timeout` in the project says how long looking may take; `-v` shows "
    "what the project prints meanwhile",
}


def explain_sight(
    code: str,
    message: str,
    recognised: Recognised | None,
    setting: Setting,
    details: Mapping[str, Any],
) -> Explanation:
    """Explain why a target could not be looked at; `message` is the agent's."""
    if code == "alembic-failed":
        return _explain_alembic(message, setting.environment)
    trouble = recognised.trouble if recognised else None
    if trouble == "module-missing" and recognised:
        if code == "unreachable":
            trouble = "driver-missing"
        else:
            return _missing_module(recognised.names["module"], message, details, setting)
    if code == "unreachable" and trouble in _CONNECTING:
        return _not_connected(message, trouble, recognised, setting)
    if code == "unreachable" and trouble == "lock-timeout":
        return Explanation(
            message=f"another session holds a lock ({message})",
            hint="Try again when it is gone; the page says how to find who holds it",
            trouble=trouble,
        )
    if code == "env-failed" and trouble == "too-many-connections":
        # Env.py's connection is one more than ours, which was made before it.
        return _not_connected(message, trouble, recognised, setting)
    if code == "env-failed" and trouble in _FROM_THE_URL:
        # Our own connection was made before env.py was run.
        return Explanation(
            message=f"env.py cannot connect ({message}), while our own connection to "
            f"`{setting.place}` works: it goes elsewhere, or with other options",
            hint="Say with `inject` where env.py looks for its URL (option, variable, `-x`, "
            "attribute), or name its driver under `drivers:`",
            trouble="wrong-database",
        )
    if trouble == "async-driver":
        message = f"env.py and the driver of the URL do not fit together ({message.rstrip('.')})"
    hint = recognised.hint if recognised else None
    if code not in {"unreachable", "env-failed", "project-unreadable"}:
        hint = trouble = None
    return Explanation(message=message, hint=hint or _GENERAL.get(code), trouble=trouble)


def _not_connected(
    message: str, trouble: str | None, recognised: Recognised | None, setting: Setting
) -> Explanation:
    sentence = _CONNECTING[trouble or ""].format(
        server=setting.server,
        place=setting.place,
        user=setting.user or "nobody",
        runner=setting.runner,
    )
    hint = (recognised.hint if recognised else None) or _GENERAL["unreachable"]
    if trouble in _FROM_THE_URL:
        hint += f". The URL comes from {setting.origin}"
    return Explanation(message=f"{sentence} ({message})", hint=hint, trouble=trouble)


def _missing_module(
    module: str, message: str, details: Mapping[str, Any], setting: Setting
) -> Explanation:
    """Say which interpreter lacks a module, and where the agent found something of its name."""
    python = details.get("executable") or setting.runner
    folder, other = details.get("found_in"), details.get("other_python")
    if folder:
        root = module.split(".", maxsplit=1)[0]
        hint = f"`{root}` lies in `{folder}`: say `sys_path: [{folder}]` in the project"
    elif other:
        hint = f"That is not the project's own Python; `{other}` is beside it: say "
        hint += f"`runner: {{python: {other}}}` in the project"
    else:
        hint = "If it is a package, `runner` has to name the Python it is installed in (now "
        hint += f"`{setting.runner}`); if it is a folder of the project's, `sys_path: [FOLDER]` "
        hint += "names the folder that holds it; `directory` says where the project itself stands"
    return Explanation(
        message=f"the project imports `{module}`, which `{python}` does not find ({message})",
        hint=hint,
        trouble="module-missing",
    )


_ALEMBIC: Final = (
    (
        re.compile(r"Target database is not up to date"),
        "not-up-to-date",
        "this command compares the models with a database that has every revision",
        "`orchestrate apply {environment}`, then type the command again",
    ),
    (
        re.compile(r"Can't locate revision identified by"),
        "unknown-database-revision",
        "{environment}, or the command, names a revision that this checkout lacks",
        "`orchestrate plan {environment}` looks for it in the git history",
    ),
    (
        re.compile(r"[Mm]ultiple head(s| revisions) (are|is) present"),
        "multiple-heads",
        "several revisions are the newest one",
        "`{merge}` joins them; or name one of them, or `heads` for all",
    ),
)
"""Alembic's own words, with the trouble, the sentence and the hint."""


def _explain_alembic(message: str, environment: str) -> Explanation:
    words = {"environment": environment, "merge": merge_command(environment)}
    for pattern, trouble, sentence, hint in _ALEMBIC:
        if pattern.search(message):
            said = message.rstrip(".")
            return Explanation(
                message=f"{sentence.format_map(words)} ({said})",
                hint=hint.format_map(words),
                trouble=trouble,
            )
    return Explanation(message=message, hint=None, trouble=None)


def explain_rendering(message: str) -> str:
    """Return why a revision cannot be shown as SQL, in words that are not Python's."""
    if re.search(r"'NoneType' object|NoInspectionAvailable|MockConnection", message):
        return f"it reads the database, and offline there is none to read ({message})"
    return message


# --- A revision that failed -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Of a revision that failed."""

    environment: str
    revision: str
    heads: str
    """What the version table says, in words."""
    statement: str | None
    """The one that failed."""
    rows: str | None = None
    """What the rows are that it met, in words; None for those that the environment has."""


def explain_step(
    code: str, message: str, recognised: Recognised | None, here: Circumstances
) -> Explanation | None:
    """Explain why a revision failed, or None where only the message itself can say it."""
    if code in _CODES:
        return Explanation(message=message, hint=_CODES[code], trouble=code)
    if recognised is None or recognised.trouble not in _STEPS:
        return None
    sentence, hint = _STEPS[recognised.trouble]
    kind = recognised.names.get("kind", "").lower()
    kind = _KINDS.get(kind, kind)
    name = recognised.names.get("name") or recognised.names.get("module")
    words = {
        "what": f"the {kind} `{name}`".replace("  ", " ") if name else "something",
        "name": name or "NAME",
        "table": _altered_table(here.statement),
        "environment": here.environment,
        "revision": here.revision,
        "heads": here.heads,
        "rows": here.rows or f"existing rows of {here.environment}",
    }
    return Explanation(
        message=f"{sentence.format_map(words)} ({message})",
        hint=hint.format_map(words),
        trouble=recognised.trouble,
    )


_CODES: Final = {
    "swallowed": "env.py catches the revision's error and goes on: take the `try` out of it, and "
    "remove the cause",
    "not-committed": "env.py begins a transaction before `context.configure()` and never commits "
    "it: have it commit, or not begin one",
}


class _Advice(NamedTuple):
    sentence: str
    hint: str


_KINDS: Final = {
    "relation": "table",
    "duplicate column name": "column",
    "duplicate key name": "index",
    "drop column": "column",
    "drop index": "index",
}

_STEPS: Final = {
    "already-exists": _Advice(
        "{revision} creates {what}, which {environment} has already though its version table says "
        "{heads}",
        "If {environment} has all that a revision makes, `orchestrate stamp {environment} REV` "
        "records that revision (it compares first); else take away what is left over",
    ),
    "enum-exists": _Advice(
        "{revision} creates the enum type `{name}`, which {environment} has already",
        'Give the column `postgresql.ENUM(…, name="{name}", create_type=False)` where the type is '
        "to be used again, or call `.create(op.get_bind(), checkfirst=True)`; one that a "
        "downgrade left behind goes with `DROP TYPE {name}`",
    ),
    "missing-object": _Advice(
        "{revision} needs {what}, which {environment} has not though its version table says "
        "{heads}",
        "Either a revision before it was recorded without being run, or somebody dropped it: bring "
        "it back by hand or from a backup, or `orchestrate stamp {environment} REV` records the "
        "revision that the schema really has",
    ),
    "rows-in-the-way": _Advice(
        "{rows} contradict what {revision} demands",
        "Correct the rows, or have the revision do it before (fill, deduplicate, then constrain)",
    ),
    "missing-right": _Advice(
        "the user of {environment}'s URL may not do what {revision} does",
        "`GRANT` the right, or give {environment} a URL of the owner of these tables",
    ),
    "sqlite-alter": _Advice(
        "{revision} alters something in place, which SQLite cannot",
        'Write it as `with op.batch_alter_table("{table}") as batch:`, which copies the table, and '
        "pass `render_as_batch=True` to `context.configure()` in env.py for revisions to come",
    ),
    "needs-autocommit": _Advice(
        "{revision} has a statement that the server runs only outside a transaction",
        "Put it into `with op.get_context().autocommit_block():`",
    ),
    "statement-timeout": _Advice(
        "{revision} ran longer than a statement may in {environment}",
        "Set a longer `statement_timeout` for {environment}, or cut the work into smaller pieces",
    ),
    "connection-lost": _Advice(
        "the server closed the connection while {revision} ran",
        "The server's log tells why (a restart, a memory limit, an administrator)",
    ),
    "module-missing": _Advice(
        "{revision} imports `{name}`, which the project's Python does not find",
        "`sys_path` names the folder that holds it, `runner` the Python it is installed in",
    ),
}
"""By trouble: what happened, and what mends it."""


def _altered_table(statement: str | None) -> str:
    found = re.search(r"\bALTER TABLE\s+[\"`]?([\w.]+)", statement or "", re.IGNORECASE)
    return found[1] if found else "TABLE"
