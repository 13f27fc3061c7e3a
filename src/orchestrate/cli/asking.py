"""The questions of `init`; where nobody can be asked, what is known already has to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from orchestrate.cli.invocation import Invocation
from orchestrate.domain.surroundings import Config, RunnerChoice, Surroundings
from orchestrate.errors import OrchestrateError
from orchestrate.planning import first_spec
from orchestrate.planning.first_spec import NewEnvironment, Suggestion
from orchestrate.reports.diagnoses import lines_of_spec

_HERE: Final = RunnerChoice(value="local", reason="the Python that orchestrate runs in")


def configs(invocation: Invocation, found: Sequence[Config]) -> list[Config]:
    """Return the projects that are meant, of those that were found."""
    if len(found) == 1:
        if invocation.format != "json":
            invocation.say(f"Found {found[0].path}")
        return list(found)
    if not invocation.may_ask:
        names = ", ".join(f"`{one.path}`" for one in found)
        raise OrchestrateError(
            "no-input",
            f"Several Alembic projects were found: {names}",
            hint="`--config FILE` says which is meant; several times for several",
        )
    _list("Several Alembic projects were found:", [one.path for one in found])
    while True:
        typed = _ask("Which of them (numbers; empty for all)")
        numbers = [word for word in typed.replace(",", " ").split() if word]
        if all(word.isdigit() and 0 < int(word) <= len(found) for word in numbers):
            return [found[int(word) - 1] for word in dict.fromkeys(numbers)] or list(found)
        invocation.complain(f"A number from 1 to {len(found)}, or several")


def runner(invocation: Invocation, around: Surroundings) -> tuple[object | None, list[str]]:
    """Return how the project's Python is reached, and further lines that could stand there."""
    choices = sorted(around.runners, key=lambda one: not one.has_alembic)
    choices += [
        RunnerChoice(value=first_spec.compose_runner(one), reason=f"service in {one.file}")
        for one in first_spec.applications(around)
    ]
    chosen = first_spec.best_runner(around)
    if choices and invocation.may_ask:
        choices.append(_HERE)
        _list(
            "How is the project's own Python reached?",
            [f"{_line(one)} ({one.reason})" for one in choices],
        )
        while True:
            typed = _ask("Number", default="1")
            if typed.isdigit() and 0 < int(typed) <= len(choices):
                chosen = choices[int(typed) - 1]
                break
            invocation.complain(f"A number from 1 to {len(choices)}")
    others = [f"{_line(one)}   # {one.reason}" for one in choices if one not in (chosen, _HERE)]
    return (chosen.value if chosen else None), others


def _line(choice: RunnerChoice) -> str:
    return lines_of_spec({"runner": choice.value}).strip().removeprefix("runner: ")


def environments(
    invocation: Invocation, suggested: Sequence[Suggestion], projects: Sequence[str]
) -> list[NewEnvironment]:
    """Return the environments and where their URLs come from."""
    if invocation.may_ask:
        return _asked(invocation, suggested, projects)
    known = [one for one in suggested if one.certain]
    if not known or projects:
        example = next((f"{one.name}={one.source}" for one in suggested), "dev=env:DEV_URL")
        first = f"{projects[0]}/" if projects else ""
        raise OrchestrateError(
            "no-input",
            "Which environments there are is not known, and nobody can be asked",
            hint=f"`--environment NAME=SOURCE` says it, once for each: `--environment "
            f"{first}{example}`",
        )
    for one in suggested:
        if one not in known:
            invocation.say(f"note: left out, since nobody named it: `NAME={one.source}`")
    return [NewEnvironment(name=one.name, url=first_spec.source_from(one.source)) for one in known]


def _asked(
    invocation: Invocation, suggested: Sequence[Suggestion], projects: Sequence[str]
) -> list[NewEnvironment]:
    found: list[NewEnvironment] = []
    for one in suggested:
        name = _ask(f"Name of the environment of `{one.source}` (`-`: none)", default=one.name)
        if name != "-":
            project = _project(projects)
            url = first_spec.source_from(one.source)
            found.append(NewEnvironment(name=name, url=url, project=project))
    while True:
        more = "Another environment" if found else "Name of an environment, such as dev"
        name = _ask(f"{more} (empty: no more)")
        if not name and found:
            return found
        if name:
            found.append(_one(invocation, name, projects))


def _one(invocation: Invocation, name: str, projects: Sequence[str]) -> NewEnvironment:
    variable = "".join(sign if sign.isalnum() else "_" for sign in name).upper()
    while True:
        source = _ask(
            f"Where does the URL of {name} come from (env:…, dotenv:…#…, ini:…#…, file:…, URL)",
            default=f"env:{variable}_DATABASE_URL",
        )
        try:
            url = first_spec.source_from(source)
        except OrchestrateError as error:
            invocation.complain(error.message)
            continue
        return NewEnvironment(name=name, url=url, project=_project(projects))


def _project(projects: Sequence[str]) -> str | None:
    if not projects:
        return None
    chosen: str = click.prompt("Of which project", type=click.Choice(projects), err=True)
    return chosen


def _list(title: str, lines: Sequence[str]) -> None:
    click.echo(title, err=True)
    for number, line in enumerate(lines, 1):
        click.echo(f"  {number}. {line}", err=True)


def _ask(question: str, *, default: str = "") -> str:
    typed: str = click.prompt(question, default=default, show_default=bool(default), err=True)
    return typed.strip()
