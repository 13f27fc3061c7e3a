"""What was said on the command line beside the command itself, and how output leaves.

Global options are taken before and after the command's name; both places write into one
`Invocation`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal

import click

from orchestrate.adapters.agent_start import SparePlace
from orchestrate.adapters.own_secrets import own_secrets
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.spare_agent import SpareAgent
from orchestrate.cli.streams import Output
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded
from orchestrate.run.interruption import Interruption, ended_by_sigterm, heeding_signals

Format = Literal["text", "json", "markdown", "sarif", "github", "junit", "html", "prometheus"]
FORMATS: Final = ("text", "json", "markdown")
LINT_FORMATS: Final = ("text", "json", "sarif", "github")
DRIFT_FORMATS: Final = (*FORMATS, "junit", "html", "prometheus")
RUNBOOK_FORMATS: Final = (*FORMATS, "html")


def colour() -> bool | None:
    """Return False where `NO_COLOR` (https://no-color.org) forbids it; else the stream decides."""
    return False if os.environ.get("NO_COLOR") else None


class Invocation:
    """One call of the program: its global options, and the secrets it must never print."""

    def __init__(self, spare: SparePlace | None = None, output: Output | None = None) -> None:
        self.spec: Path | None = None
        self.format: Format = "text"
        self.no_input = False
        self.debug = False
        self.verbosity = 0
        self.overridden: tuple[str, ...] = ()
        self.reason: str | None = None
        self.redactor = Redactor(own_secrets())
        self.spare = SpareAgent(self.redactor, spare)
        self._output = output
        self._log: Path | None = None
        self._closers: list[Callable[[], None]] = [self.spare.close]
        self._suspects: list[Callable[[], OrchestrateError | None]] = []

    def close_later(self, close: Callable[[], None]) -> None:
        """Have something closed when the call ends, however it ends."""
        self._closers.append(close)

    def suspect(self, check: Callable[[], OrchestrateError | None]) -> None:
        """Have something looked at before a call that fails is called a defect of ours."""
        self._suspects.append(check)

    def cause(self) -> OrchestrateError | None:
        """Return what is wrong with what the call worked on, if anything is."""
        for check in self._suspects:
            try:
                found = check()
            except OrchestrateError as error:
                found = error
            except Exception:  # noqa: BLE001, S112  (the call has failed in its own way already)
                continue
            if found:
                return found
        return None

    def close(self) -> None:
        """Close what the call opened, the last thing first. Safe to repeat."""
        while self._closers:
            with contextlib.suppress(OrchestrateError):
                self._closers.pop()()

    def redacted(self, text: str) -> str:
        """Return the text without any secret that this call has met."""
        return self.redactor.redact(text)

    def record(self, error: BaseException) -> None:
        """With `--debug`, write an error's traceback to a file of this call, without secrets.

        What the agent told of a traceback at its end stands first. Nobody else may read the file.
        """
        if not self.debug:
            return
        parts = [f"{type(error).__name__}: {error}\n"]
        if isinstance(error, OrchestrateError):
            parts = [f"error[{error.code}]: {error.where or '-'}: {error.message}\n"]
            if error.details.get("traceback"):
                parts += ["\nIn the project's Python:\n", str(error.details["traceback"])]
        parts += ["\nHere:\n", *traceback.format_exception(error), "\n"]
        # A full disk must not hide the error itself.
        with contextlib.suppress(OSError):
            if self._log is None:
                handle, name = tempfile.mkstemp(prefix="orchestrate-", suffix=".log")
                os.close(handle)
                self._log = Path(name)
            with self._log.open("a", encoding="utf-8", errors="replace") as file:
                file.write(self.redacted("".join(parts)))

    def name_log(self) -> None:
        """Tell where tracebacks were written, if any were."""
        if self._log is not None:
            self.complain(f"debug: tracebacks are in {self._log}")

    def need_no_reader(self) -> None:
        """From now on drop what cannot be printed: a run is not to stop because nobody reads."""
        if self._output is not None:
            self._output.needed = False

    def data(self, text: str) -> None:
        """Print what was asked for, on standard output."""
        self.put(self.redacted(text))

    def put(self, text: str) -> None:
        """Print a text that holds no secret any more, on standard output."""
        click.echo(text, color=colour())

    def json(self, value: object, *, indent: int | None = 2) -> None:
        """Print a value as JSON on standard output."""
        self.put(self.as_json(value, indent=indent))

    def as_json(self, value: object, *, indent: int | None = None) -> str:
        """Return a value as JSON without secrets.

        They are taken out of its texts, not out of the JSON: a password may be `123`.
        """
        return json.dumps(self.redactor.redact_value(value), indent=indent, ensure_ascii=False)

    def event(self, value: Mapping[str, Any]) -> None:
        """Print one event of a run as a line of JSON, at once, so that a reader sees it happen."""
        sys.stdout.write(self.as_json(value) + "\n")
        sys.stdout.flush()

    def error(self, value: Mapping[str, Any]) -> None:
        """Print why a run did not succeed as a line of JSON, on standard error."""
        click.echo(self.as_json({"error": value}), err=True)

    def heeding(self, interruption: Interruption) -> AbstractContextManager[None]:
        """Have who stops this call stop a run at its next safe point, within the body."""
        return heeding_signals(interruption)

    def ended_by_signals(self) -> AbstractContextManager[None]:
        """Have who stops this call end the body at once, with what it tidies up."""
        return ended_by_sigterm()

    def say(self, text: str) -> None:
        """Tell a person something beside the data, on standard error; `-q` leaves it out."""
        if self.verbosity >= 0:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Tell what went wrong, on standard error, however quiet the call is."""
        click.echo(self.redacted(text), err=True, color=colour())

    @property
    def folder(self) -> Path:
        """Return the folder that the call is made in. Raises `usage` where that was removed."""
        try:
            return Path.cwd()
        except OSError as error:
            if self.spec is not None and expanded(self.spec).is_absolute():
                return expanded(self.spec).parent  # nothing is looked for from here
            gone = "is gone" if isinstance(error, FileNotFoundError) else f"has no path: {error}"
            raise OrchestrateError(
                "usage",
                f"The current folder {gone}",
                hint="Go to another folder, or name the spec in full: `--spec /PATH/TO/FILE`",
            ) from error

    @property
    def may_ask(self) -> bool:
        """Return whether there is a person to ask."""
        return not self.no_input and sys.stdin.isatty()

    def ask_secret(self, text: str) -> str:
        """Ask a person for something that is not shown while it is typed."""
        return str(click.prompt(text, hide_input=True, err=True, default="", show_default=False))


def _note(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        invocation = ctx.ensure_object(Invocation)
        if value is None or value is False or value == 0:
            return value
        if name == "verbosity":
            invocation.verbosity += value
        elif name == "quiet":
            invocation.verbosity -= value
        else:
            setattr(invocation, name, value)
        return value

    return callback


def global_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command takes, before or after its name."""
    return options_with(FORMATS)(command)


def options_with(
    formats: Sequence[str],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the same options to a command that prints its data in these formats."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def checked(*arguments: Any, **named: Any) -> Any:
            # Given before the command, it was taken for one that knows more formats.
            chosen = click.get_current_context().find_object(Invocation)
            if chosen is not None and chosen.format not in formats:
                raise OrchestrateError(
                    "usage",
                    f"`--format {chosen.format}` is not one of this command's: "
                    f"{', '.join(formats)}",
                )
            return command(*arguments, **named)

        for option in reversed(_options(formats)):
            checked = option(checked)
        return checked

    return add


def _options(formats: Sequence[str]) -> list[Callable[..., Any]]:
    return [
        click.option(
            "--spec",
            type=click.Path(path_type=Path),
            help="The spec; else `migrations.yaml` here or in a folder above.",
            callback=_note("spec"),
            expose_value=False,
        ),
        click.option(
            "--format",
            "format_",
            type=click.Choice(formats),
            help="How data is printed.",
            callback=_note("format"),
            expose_value=False,
        ),
        click.option(
            "--no-input",
            is_flag=True,
            help="Never ask; fail where an answer is needed.",
            callback=_note("no_input"),
            expose_value=False,
        ),
        click.option(
            "--debug",
            is_flag=True,
            help="Write tracebacks to a file that is named.",
            callback=_note("debug"),
            expose_value=False,
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            help="Say more.",
            callback=_note("verbosity"),
            expose_value=False,
        ),
        click.option(
            "-q",
            "--quiet",
            count=True,
            help="Say less.",
            callback=_note("quiet"),
            expose_value=False,
        ),
    ]


def environment_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ENV as an argument or as `--env ENV`; the function gets `environment`."""
    command = click.argument("environment", required=False, metavar="ENV")(command)
    return click.option("--env", "environment_option", metavar="ENV", help="The same as ENV.")(
        command
    )


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--override GATE --reason TEXT`, which are noted in the invocation."""
    command = click.option(
        "--reason",
        metavar="TEXT",
        help="Why a gate is overridden; kept in the journal.",
        callback=_note("reason"),
        expose_value=False,
    )(command)
    return click.option(
        "--override",
        "overridden",
        multiple=True,
        metavar="GATE",
        help="Go on although this gate is closed; needs --reason.",
        callback=_note("overridden"),
        expose_value=False,
    )(command)


def environments_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add any number of ENV, as arguments or as `--env ENV`; the function gets `environments`."""
    command = click.argument("environments", nargs=-1, metavar="[ENV]...")(command)
    return click.option(
        "--env", "environment_options", multiple=True, metavar="ENV", help="The same as ENV."
    )(command)


def one_environment(argument: str | None, option: str | None) -> str:
    """Return the environment that was named, once; there is no default one."""
    if argument and option and argument != option:
        raise OrchestrateError(
            "usage",
            f"Two environments were named: `{argument}` and `{option}`",
            hint="Give one of them",
        )
    name = argument or option
    if not name:
        raise OrchestrateError(
            "usage",
            "No environment was named, and there is no default one",
            hint="`orchestrate status` lists them",
        )
    return name
