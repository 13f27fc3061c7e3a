"""`orchestrate validate` and `schema`."""

from __future__ import annotations

import json

import click

from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import LoadedSpec
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

    spec = load_spec(invocation.spec, start=invocation.folder)
    found = (
        *spec.findings,
        *check_sources(spec),
        *check_templates(spec),
        *_runbook_findings(spec),
    )
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


def _runbook_findings(spec: LoadedSpec) -> list[Finding]:
    """Return the mistakes of templates of the user's own, each once."""
    own = [one for one in spec.environments if one.runbook and one.runbook.templates]
    if not own:
        return []
    from orchestrate.reports.runbooks import check_template  # noqa: PLC0415  (seldom needed)
    from orchestrate.stores.runbook_templates import misnamed, templates_for  # noqa: PLC0415

    found: dict[str, Finding] = {}
    for environment in own:
        try:
            for finding in misnamed(spec, environment):
                found[finding.where or ""] = finding
            templates = templates_for(spec, environment)
            for name in templates:
                check_template(name, templates)
        except OrchestrateError as error:
            found[error.where or ""] = Finding(
                code="bad-template",
                severity="error",
                message=error.message,
                hint=error.hint,
                where=error.where,
            )
    return list(found.values())


@click.command()
@global_options
@click.pass_obj
def schema(invocation: Invocation) -> int:
    """Print the JSON Schema of the spec, for editors."""
    from orchestrate.domain.spec import json_schema  # noqa: PLC0415

    invocation.data(json.dumps(json_schema(), indent=2))
    return 0
