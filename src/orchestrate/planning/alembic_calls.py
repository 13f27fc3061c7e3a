"""What a command line of Alembic's means here: a look, or something that a run does. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Final

from orchestrate.domain.alembic_call import AlembicCall
from orchestrate.domain.plan import Arguments, Direction
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_CHANGES: Final = frozenset({"upgrade", "downgrade", "stamp", "ensure_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Nothing is written to the target: Alembic does it, with the target's values filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """It changes the target, so it becomes a plan and a run, behind all gates."""

    direction: Direction
    to: str
    arguments: Arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """It changes the version table alone: a claim about the schema, to be proven first.

    No revision means that the rows stay as they are and the table is made.
    """

    revisions: tuple[str, ...]
    purge: bool
    arguments: Arguments


def judge_call(
    call: AlembicCall, *, config: str | None, section: str | None, given_x: Sequence[str]
) -> Look | Move | Stamp:
    """Return what to do with a command line.

    `config`, `section` and `given_x` are what the spec fills in. Raises `usage` for what
    contradicts them, and for what cannot be done from here.
    """
    _refuse_contradictions(call, config=config, section=section, given_x=given_x)
    options = call.options
    if call.command == "edit":
        raise OrchestrateError(
            "usage",
            "`alembic edit` opens an editor, and there is no terminal where the project runs",
            hint="`orchestrate alembic ENV -- show REV` names the file",
        )
    if call.command not in _CHANGES or options.get("sql"):
        return Look()
    arguments = Arguments(x=tuple(options.get("x") or ()), tag=options.get("tag"))
    if call.command == "upgrade":
        return Move(direction="upgrade", to=options["revision"], arguments=arguments)
    if call.command == "downgrade":
        return Move(direction="downgrade", to=options["revision"], arguments=arguments)
    return Stamp(
        revisions=tuple(options.get("revisions") or ()),
        purge=bool(options.get("purge")),
        arguments=arguments,
    )


def _refuse_contradictions(
    call: AlembicCall, *, config: str | None, section: str | None, given_x: Sequence[str]
) -> None:
    named = call.options.get("config") or []
    for one in [named] if isinstance(named, str) else named:
        if config is None or posixpath.normpath(one) != posixpath.normpath(config):
            text = f"`-c {one}` is not the project's config" + (f", `{config}`" if config else "")
            raise OrchestrateError("usage", text, hint="Leave it out: the spec says which it is")
    name = call.options.get("name")
    if name is not None and name != (section or "alembic"):
        text = f"`-n {name}` is not the section that the spec names, `{section or 'alembic'}`"
        raise OrchestrateError("usage", text, hint="Leave it out: the spec says which it is")
    known = {one.partition("=")[0] for one in given_x}
    for one in call.options.get("x") or []:
        if one.partition("=")[0] in known:
            text = f"`-x {one.partition('=')[0]}=…` is filled in by the spec already"
            raise OrchestrateError("usage", text, hint="Leave it out")
