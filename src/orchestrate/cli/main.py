"""The command line's door: which command, and how every error becomes text and an exit status.

Commands are imported when they are called, so that `orchestrate validate` does not pay for what
`apply` needs. This is the only place that catches everything.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from dataclasses import asdict
from typing import Any, Final

import click

from orchestrate import __version__
from orchestrate.adapters.agent_start import SparePlace
from orchestrate.cli.invocation import (
    DRIFT_FORMATS,
    FORMATS,
    LINT_FORMATS,
    Invocation,
    colour,
    options_with,
)
from orchestrate.cli.streams import Output, OutputLostError
from orchestrate.domain.findings import Finding
from orchestrate.domain.snapshot import Difference
from orchestrate.errors import ExitStatus, OrchestrateError

COMMANDS: Final = {
    "init": ("orchestrate.cli.init", "init", "Write the first spec of an Alembic project"),
    "validate": ("orchestrate.cli.spec", "validate", "Check the spec and reach nothing"),
    "schema": ("orchestrate.cli.spec", "schema", "Print the JSON Schema of the spec"),
    "doctor": ("orchestrate.cli.doctor", "doctor", "Check everything around an environment"),
    "status": ("orchestrate.cli.status", "status", "Show where every environment stands"),
    "lint": ("orchestrate.cli.lint", "lint", "Judge revisions and their SQL before they are run"),
    "plan": ("orchestrate.cli.plan", "plan", "Show what would be done, and why"),
    "rehearse": ("orchestrate.cli.rehearse", "rehearse", "Carry the plan out on a clone"),
    "apply": ("orchestrate.cli.apply", "apply", "Plan and carry out, or carry out a saved plan"),
    "approve": ("orchestrate.cli.approve", "approve", "Agree to a plan, signed or recorded"),
    "approvals": ("orchestrate.cli.approve", "approvals", "List approvals; revoke them"),
    "rollback": ("orchestrate.cli.rollback", "rollback", "Take ENV back, and prove that it is"),
    "resume": ("orchestrate.cli.resume", "resume", "Go on with an unfinished run"),
    "abort": ("orchestrate.cli.resume", "abort", "End an unfinished run, its state explained"),
    "history": ("orchestrate.cli.history", "history", "List runs, or verify the journal"),
    "show": ("orchestrate.cli.history", "show", "Show one run with all its steps"),
    "runbook": ("orchestrate.cli.runbook", "runbook", "Write a plan for people, boxes and all"),
    "backup": ("orchestrate.cli.backup", "backup", "Copy a database now, and prove the copy"),
    "backups": ("orchestrate.cli.backup", "backups", "List copies; verify or prune them"),
    "restore": ("orchestrate.cli.restore", "restore", "Put a backup back, checked afterwards"),
    "drift": ("orchestrate.cli.drift", "drift", "Show what differs from what should be there"),
    "compare": ("orchestrate.cli.compare", "compare", "Show how two environments differ"),
    "stamp": ("orchestrate.cli.stamp", "stamp", "Adopt a database at a revision, proven first"),
    "alembic": ("orchestrate.cli.alembic", "alembic", "Run any Alembic command against ENV"),
    "trust": ("orchestrate.cli.trust", "trust", "Accept a database as an environment's own"),
    "explain": ("orchestrate.cli.explain", "explain", "Show the page of a known trouble"),
    "unlock": ("orchestrate.cli.trust", "unlock", "Break a stuck lease"),
}


class _Commands(click.Group):
    """A group whose commands are imported on call."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message}{_nearest(args[0])}", ctx) from error


def _nearest(word: str) -> str:
    import difflib  # noqa: PLC0415  (only a mistake pays for it)

    close = difflib.get_close_matches(word, COMMANDS, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orchestrate")
@options_with(tuple(dict.fromkeys((*FORMATS, *LINT_FORMATS, *DRIFT_FORMATS))))
def cli() -> None:
    """Migrations for every environment, declared once.

    ENV is a name or an alias of an environment in the spec; there is no default one.
    """


def main(
    arguments: list[str] | None = None,
    *,
    spare: SparePlace | None = None,
    output: Output | None = None,
) -> None:
    """Run the command line and exit with the status of design section 4.

    `spare` is an agent that was started before it was known whether the spec asks for it; `output`
    is standard output, if it can be told to fail no more.
    """
    given = sys.argv[1:] if arguments is None else arguments
    invocation = Invocation(spare, output)
    try:
        status = cli.main(
            args=given,
            prog_name="orchestrate",
            standalone_mode=False,
            obj=invocation,
            color=colour(),  # of what Click itself prints: help, prompts
        )
        sys.stdout.flush()  # what cannot be written is to be known before the status is
        _leave(int(status or 0))
    except click.exceptions.Exit as ended:
        _leave(ended.exit_code)
    except (click.Abort, KeyboardInterrupt):
        # A run that has begun heeds signals itself; whatever ends here was only looking or asking.
        if invocation.format != "json" and sys.stderr.isatty():
            click.echo(err=True)  # the line that `^C` stands in
        _report(OrchestrateError("interrupted", "Nothing was changed"), invocation)
        _leave(ExitStatus.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        _leave(ExitStatus.USAGE)
    except click.ClickException as error:
        usage = OrchestrateError(
            "usage", error.format_message().rstrip("."), hint=_usage_hint(error)
        )
        _report(usage, invocation)
        _leave(ExitStatus.USAGE)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no failure of ours.
        _leave(ExitStatus.FAILED)
    except OutputLostError as error:
        _report_lost(error, invocation)
        _leave(ExitStatus.FAILED)
    except OrchestrateError as error:
        _report(error, invocation)
        _leave(error.exit_status)
    except Exception as error:  # noqa: BLE001  (the last door: a defect of ours)
        _report(_defect(error, invocation), invocation)
        _leave(ExitStatus.FAILED)
    finally:
        invocation.close()
        invocation.name_log()


def _leave(status: int) -> None:
    with contextlib.suppress(OSError, ValueError, OutputLostError):
        sys.stdout.flush()
    sys.exit(status)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "orchestrate"
    return f"`{path} --help` shows what it takes"


def _defect(error: Exception, invocation: Invocation) -> OrchestrateError:
    """Return a defect in words; or what the call worked on that was altered."""
    altered = invocation.cause()
    if altered:
        altered.__cause__ = error
        return altered
    hint = "Report it together with the file that is named below"
    if not invocation.debug:
        hint = "Run it again with `--debug` for a traceback in a file, and report it"
    text = invocation.redacted(str(error)).splitlines() or [""]
    found = OrchestrateError(
        "internal", f"A defect of orchestrate: {type(error).__name__}: {text[0]}", hint=hint
    )
    found.__cause__ = error
    return found


def _report(error: OrchestrateError, invocation: Invocation) -> None:
    invocation.record(error)
    if invocation.format == "json":
        invocation.error(_as_json(error))
        return
    head = click.style(f"error[{error.code}]", fg="red", bold=True)
    said = error.where and error.message.startswith(f"{error.where} ")
    where = f"{error.where}: " if error.where and not said else ""
    lines = [f"{head}: {where}{error.message}"]
    lines += [_finding_line(one) for one in error.findings if isinstance(one, Finding)]
    lines += [_difference_line(one) for one in error.findings if isinstance(one, Difference)]
    if error.hint:
        lines += ["", f"{click.style('hint', fg='cyan', bold=True)}: {error.hint}"]
    from orchestrate.planning.trouble_pages import page_of  # noqa: PLC0415  (only errors pay for it)
    from orchestrate.reports.more import more_lines  # noqa: PLC0415

    lines += more_lines(page_of(error.trouble, error.code))
    invocation.complain("\n".join(lines))


def _report_lost(error: OutputLostError, invocation: Invocation) -> None:
    """Tell that data was lost on its way out; it has no code, for nothing of ours has failed."""
    invocation.record(error)
    message = f"Standard output could not be written: {error}"
    if invocation.format == "json":
        nothing = dict.fromkeys(("hint", "where", "docs"))
        invocation.error({"code": None, "message": message, **nothing})
        return
    invocation.complain(f"{click.style('error', fg='red', bold=True)}: {message}")


def _finding_line(finding: Finding) -> str:
    where = f"{finding.where}: " if finding.where else ""
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"  {where}{finding.message}{hint} [{finding.code}]"


def _difference_line(one: Difference) -> str:
    expected, actual = one.expected or "nothing", one.actual or "nothing"
    told = f"expected {expected}, found {actual}"
    if expected == actual:  # a table's definition is its columns', so that it has none itself
        told = "found, not expected" if one.change == "added" else "expected, not found"
    return f"  {one.object} {one.name}: {told}"


def _as_json(error: OrchestrateError) -> dict[str, Any]:
    from orchestrate.planning.trouble_pages import page_of, page_path  # noqa: PLC0415

    page = page_of(error.trouble, error.code)
    value: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "where": error.where,
        "docs": page_path(page) if page else None,
    }
    found = [one for one in error.findings if isinstance(one, Finding)]
    if found:
        value["findings"] = [
            {
                "code": one.code,
                "severity": one.severity,
                "message": one.message,
                "hint": one.hint,
                "where": one.where,
            }
            for one in found
        ]
    differences = [asdict(one) for one in error.findings if isinstance(one, Difference)]
    return {**value, **({"differences": differences} if differences else {})}
