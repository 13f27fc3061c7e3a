"""`orchestrate init`: from an Alembic project to its first spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

if TYPE_CHECKING:
    from orchestrate.domain.spec import LoadedSpec
    from orchestrate.domain.surroundings import Config, Surroundings
    from orchestrate.planning.first_spec import NewEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was said on the command line."""

    configs: tuple[str, ...]
    environments: tuple[str, ...]
    runner: str | None
    inject: tuple[str, ...]
    directory: str | None


@click.command()
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE",
    help="alembic.ini or pyproject.toml of the project; several times for several projects.",
)
@click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME=SOURCE",
    help="An environment and where its URL comes from: `prod=env:PROD_DATABASE_URL`, "
    "`dev=sqlite:///dev.db`, `staging=ini:alembic.ini#staging`, `ci=dotenv:.env#DATABASE_URL`.",
)
@click.option(
    "--runner", metavar="WORDS", help="`local`, a path of a Python, or a command that ends in one."
)
@click.option(
    "--inject",
    multiple=True,
    metavar="KIND:NAME",
    help="How the URL reaches env.py: `env:DATABASE_URL`, `x:url`, `attribute:connection`.",
)
@click.option("--directory", metavar="FOLDER", help="Folder that the project runs in.")
@global_options
@click.pass_obj
def init(
    invocation: Invocation,
    *,
    configs: tuple[str, ...],
    environments: tuple[str, ...],
    runner: str | None,
    inject: tuple[str, ...],
    directory: str | None,
) -> int:
    """Find the Alembic project below this folder and write its first spec, with comments.

    Writes `migrations.yaml` and a file for each environment, and never over a file that is there.
    What cannot be known is asked, or said with options; then it shows the status.
    """
    from orchestrate.adapters.surroundings import look_around  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.stores.new_spec import checked_spec, put_in_place  # noqa: PLC0415

    path = (invocation.folder / (invocation.spec or "migrations.yaml")).absolute()
    root, name = path.parent, path.name
    if not root.is_dir():
        raise OrchestrateError("usage", f"There is no folder {root}")
    around = look_around(root)
    _refuse_existing(around, path)
    wishes = Wishes(
        configs=configs,
        environments=environments,
        runner=runner,
        inject=inject,
        directory=directory.rstrip("/") if directory else None,
    )
    files = _files(invocation, around, wishes, root, name)
    spec = checked_spec(files, spec_name=name, folder=root)
    notes = _checked_sources(spec)
    written = put_in_place(files, spec_name=name, folder=root)
    invocation.spec = path
    _show(invocation, [str(one.relative_to(root)) for one in written], notes, around)
    return 0


def _refuse_existing(around: Surroundings, path: Path) -> None:
    existing = list(dict.fromkeys([*around.existing, *([path.name] if path.exists() else [])]))
    if existing:
        names = ", ".join(f"`{one}`" for one in existing)
        raise OrchestrateError(
            "usage",
            f"There is a spec already: {names}; nothing was written",
            hint="`orchestrate validate` checks it, `orchestrate doctor` all around it; to begin "
            "anew, move these files away first",
            where=str(path.parent),
        )


def _files(
    invocation: Invocation, around: Surroundings, wishes: Wishes, root: Path, name: str
) -> dict[str, str]:
    from orchestrate.cli import asking  # noqa: PLC0415  (see above)
    from orchestrate.planning import first_spec  # noqa: PLC0415
    from orchestrate.reports.first_spec import first_spec_files  # noqa: PLC0415

    configs = _configs(invocation, around, wishes, root)
    names = first_spec.project_names(configs)
    runner = first_spec.runner_from(wishes.runner) if wishes.runner else None
    alternatives: list[str] = []
    if runner is None:
        runner, alternatives = asking.runner(invocation, around)
    inject = first_spec.inject_from(wishes.inject)
    several = names if len(names) > 1 else []
    projects = [
        first_spec.project_for(
            config, one, runner=runner, inject=inject, directory=wishes.directory
        )
        for config, one in zip(configs, names, strict=True)
    ]
    if _is_far(runner) and wishes.directory is None:
        # A folder of this machine means nothing in a container.
        projects = [replace(one, directory=None) for one in projects]
    if wishes.environments:
        environments = [
            first_spec.environment_from(text, several or names) for text in wishes.environments
        ]
    else:
        suggested = first_spec.suggestions(around, configs)
        environments = asking.environments(invocation, suggested, several)
    _refuse_doubles(environments)
    environments = [
        replace(one, section=first_spec.section_of(one, configs)) for one in environments
    ]
    return first_spec_files(projects, environments, alternatives=alternatives, spec_name=name)


def _is_far(runner: object) -> bool:
    command = runner.get("command") if isinstance(runner, dict) else None
    return isinstance(command, list) and command[0] in {"docker", "podman", "kubectl", "ssh"}


def _refuse_doubles(environments: Sequence[NewEnvironment]) -> None:
    from orchestrate.reports.first_spec import file_name  # noqa: PLC0415  (see above)

    files = [file_name(one.name).lower() for one in environments]
    for one, file in zip(environments, files, strict=True):
        if files.count(file) > 1:
            raise OrchestrateError(
                "usage",
                f"Two environments would be written to `environments/{file}.yaml`",
                hint=f"Give `{one.name}` another name; of several projects each has its own names",
            )


def _configs(
    invocation: Invocation, around: Surroundings, wishes: Wishes, root: Path
) -> list[Config]:
    from orchestrate.cli import asking  # noqa: PLC0415  (see above)

    known = {one.path: one for one in around.configs}
    chosen = []
    for given in wishes.configs:
        try:
            path = (root / given).resolve().relative_to(root.resolve()).as_posix()
        except ValueError:
            path = given
        if path not in known:
            found = ", ".join(f"`{one}`" for one in known) or "none"
            raise OrchestrateError(
                "usage",
                f"`{given}` is no file in {root} that says where Alembic's scripts are "
                "(`script_location`)",
                hint=f"Found: {found}",
            )
        chosen.append(known[path])
    if chosen:
        return chosen
    if not known:
        raise OrchestrateError(
            "usage",
            f"No Alembic project was found in {root} or below: no ini file or pyproject.toml with "
            "`script_location`",
            hint="Go to the folder that has it, or begin one with `alembic init migrations`",
        )
    return asking.configs(invocation, around.configs)


def _checked_sources(spec: LoadedSpec) -> list[str]:
    """Return what is not there yet; raise for what cannot be right.

    A variable may be set where production is. A file that was named has to be here.
    """
    from orchestrate.adapters.templates import check_templates  # noqa: PLC0415  (see above)
    from orchestrate.adapters.url_sources import check_sources  # noqa: PLC0415  (see above)
    from orchestrate.domain.spec_sources import EnvSource, FileSource  # noqa: PLC0415

    notes: list[str] = []
    errors = list(check_templates(spec))
    for environment in spec.environments:
        found = check_sources(replace(spec, environments=(environment,)))
        elsewhere = isinstance(environment.url, (EnvSource, FileSource))
        for one in found:
            if one.severity == "error" and not elsewhere:
                errors.append(one)
            else:
                notes.append(one.message)
    if errors:
        raise OrchestrateError(
            "spec-invalid", "The spec would have mistakes; nothing was written", findings=errors
        )
    return notes


def _show(
    invocation: Invocation, files: Sequence[str], notes: Sequence[str], around: Surroundings
) -> None:
    """Tell what was written, show the status, and name the next commands."""
    from orchestrate.cli.status import status_rows  # noqa: PLC0415  (see above)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.reports.standings import status_json, status_text  # noqa: PLC0415

    if invocation.format != "json":
        invocation.data("\n".join(["Wrote", *(f"  {one}" for one in files), ""]))
    bench = Workbench(invocation)
    chosen = bench.chosen(())
    rows = status_rows(bench, chosen)
    steps = ["orchestrate doctor", f"orchestrate plan {chosen[0].name}"] if chosen else []
    if invocation.format == "json":
        value: dict[str, Any] = {"files": list(files), "notes": list(notes)}
        invocation.json({**value, "status": status_json(rows), "next": steps})
    elif rows:
        invocation.data(status_text(rows, now=bench.clock.now()))
    for one in notes:
        invocation.say(f"note: {one}")
    if not around.ignores_state:
        invocation.say("note: add `.orchestrate/` to .gitignore: the state store is put there")
    if steps and invocation.format != "json":
        invocation.say(
            "\nNext:\n"
            f"  {steps[0].ljust(30)} every check with its remedy, and how env.py takes its URL\n"
            f"  {steps[1].ljust(30)} what would be done there"
        )
