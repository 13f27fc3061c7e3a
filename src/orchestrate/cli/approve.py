"""`orchestrate approve` and `approvals`: agreeing to a plan, and who agreed to which."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrate.cli.given import TEXT
from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.errors import OrchestrateError

_ACTIONS = ("revoke",)


@click.command()
@click.argument("plan", metavar="[ENV|PLAN.json|PLAN]", required=False)
@click.option("--env", "environment", metavar="ENV", help="The plan that ENV would get now.")
@click.option("--to", type=TEXT, help="With ENV: where to, as for `plan`.")
@click.option("--comment", metavar="TEXT", help="What the journal keeps beside it.")
@click.option(
    "--as", "name", metavar="EMAIL", help="Who approves; else ORCHESTRATE_USER, else git."
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Sign with this private key, or with the key of the SSH agent that FILE.pub names.",
)
@click.option(
    "--text",
    type=click.Path(path_type=Path),
    help="Write the text that is to be signed into FILE, to sign it elsewhere.",
)
@click.option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take FILE.sig, which `ssh-keygen -Y sign -n plan@orchestrate` made of FILE.",
)
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@global_options
@click.pass_obj
def approve(
    invocation: Invocation,
    *,
    plan: str | None,
    environment: str | None,
    to: str | None,
    comment: str | None,
    name: str | None,
    key: Path | None,
    text: Path | None,
    signature: Path | None,
    yes: bool,
) -> int:
    """Approve the plan of a file, the plan that ENV would get now, or PLAN, which waits for it.

    The approval is bound to the plan's digest: it holds for this very plan, whenever it is made,
    and for one run of it. Where the spec says `signed`, it carries an SSH signature, by --key or by
    the key of the SSH agent that may sign.
    """
    from orchestrate.adapters.people import is_address  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.approving import Wanted, approve_plan  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    given = [option for option, value in (("--key", key), ("--text", text)) if value]
    if (signature and given) or len(given) > 1:
        both = " and ".join(f"`{one}`" for one in [*given, *(["--signature"] if signature else [])])
        raise OrchestrateError("usage", f"{both} do not go together: give one")
    if signature and (comment or name):
        raise OrchestrateError(
            "usage", "`--comment` and `--as` are in the text that was signed; leave them out"
        )
    if name is not None and not is_address(name):
        raise OrchestrateError("usage", f"`--as` takes an e-mail address, and {name!r} is none")
    wanted = Wanted(
        plan=_named(plan, environment),
        to=to,
        comment=comment,
        name=name,
        key=key,
        text=text,
        signature=signature,
        yes=yes,
    )
    return approve_plan(Workbench(invocation), wanted)


def _named(plan: str | None, environment: str | None) -> str:
    if plan and environment:
        raise OrchestrateError("usage", "A plan and an environment were named: give one")
    found = plan or environment
    if not found:
        raise OrchestrateError(
            "usage",
            "What is to be approved was not named",
            hint="`orchestrate approvals` lists the plans that wait",
        )
    return found


@click.command()
@click.argument("words", nargs=-1, metavar="[revoke] [ENV|PLAN.json|PLAN|APPROVAL]...")
@click.option("--env", "environment", metavar="ENV", help="Those of this environment alone.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at the most."
)
@click.option("--reason", metavar="TEXT", help="revoke: why; kept in the journal.")
@global_options
@click.pass_obj
def approvals(
    invocation: Invocation,
    *,
    words: tuple[str, ...],
    environment: str | None,
    limit: int,
    reason: str | None,
) -> int:
    """List approvals, newest first, and the plans that wait for some.

    `approvals revoke APPROVAL --reason TEXT` takes one back; a run that has begun on it goes no
    further than to its next `resume`.
    """
    from orchestrate.cli.listing_approvals import list_approvals, revoke  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    action = words[0] if words and words[0] in _ACTIONS else "list"
    if action == "revoke":
        if environment:
            raise OrchestrateError("usage", "`--env` goes with `orchestrate approvals`")
        return revoke(Workbench(invocation), words[1:], reason=reason)
    if reason is not None:
        raise OrchestrateError("usage", "`--reason` goes with `orchestrate approvals revoke`")
    named = (*words, *([environment] if environment else ()))
    return list_approvals(Workbench(invocation), named, limit=limit)
