"""`orchestrate validate` and `schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.errors import OrchestrateError
from orchestrate.reports.tables import coloured, counted


@click.command()
@global_options
@click.pass_obj
def validate(invocation: Invocation) -> int:
    """Check the spec, all mistakes in one go; reach no database and run no command."""
    from orchestrate.adapters.templates import check_templates  # noqa: PLC0415
    from orchestrate.adapters.url_sources import check_sources  # noqa: PLC0415
    from orchestrate.stores.spec_files import load_spec  # noqa: PLC0415

    spec = load_spec(invocation.spec, start=Path.cwd())
    found = (*spec.findings, *check_sources(spec), *check_templates(spec))
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise OrchestrateError(
            "spec-invalid",
            f"The spec has {counted(len(errors), 'mistake')}",
            where=str(spec.path),
            findings=found,
        )
    if invocation.format == "json":
        invocation.json(
            {
                "valid": True,
                "environments": [one.name for one in spec.environments],
                "findings": [
                    {
                        "code": one.code,
                        "severity": one.severity,
                        "message": one.message,
                        "hint": one.hint,
                        "where": one.where,
                    }
                    for one in found
                ],
            }
        )
        return 0
    for one in found:
        invocation.say(f"{coloured(one.severity)}: {one.where}: {one.message} [{one.code}]")
    names = ", ".join(one.name for one in spec.environments)
    listed = f" ({names})" if names else "; declare one under `environments` or in `include`"
    invocation.data(f"The spec is valid: {counted(len(spec.environments), 'environment')}{listed}")
    return 0


@click.command()
@global_options
@click.pass_obj
def schema(invocation: Invocation) -> int:
    """Print the JSON Schema of the spec, for editors."""
    from orchestrate.domain.spec import json_schema  # noqa: PLC0415

    invocation.data(json.dumps(json_schema(), indent=2))
    return 0
