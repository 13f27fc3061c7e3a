"""Driving commands from a program: nothing is printed, nobody is asked, no process is ended.

One `Caller` may be used by several threads at the same time: each call has an invocation of its
own, with its own secrets, agents and connection to the state store.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrate.api.redacting import clean_error, without_secrets
from orchestrate.api.results import Answer, RunEvent
from orchestrate.cli.invocation import Invocation
from orchestrate.cli.workbench import Workbench
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded
from orchestrate.run.interruption import Interruption, ended_by_sigterm, heeding_signals
from orchestrate.stores.spec_place import FILE_NAME

OnEvent = Callable[[RunEvent], None]
OnMessage = Callable[[str], None]
_Value = TypeVar("_Value")


class Caller:
    """How commands are called: which spec, who is told, whether signals are heeded."""

    def __init__(
        self,
        spec: Path | str | None,
        *,
        on_event: OnEvent | None,
        on_message: OnMessage | None,
        handle_signals: bool,
    ) -> None:
        self.spec = None if spec is None else _spec_file(Path(spec))
        self._on_event = on_event
        self._on_message = on_message
        self._handle_signals = handle_signals
        self._at_work: list[Interruption] = []
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ask every run that is at work to stop before its next step; again: at once."""
        with self._lock:
            at_work = list(self._at_work)
        for one in at_work:
            one.request()

    def call(self, *arguments: str) -> Answer:
        """Run a command and return what it told. Raises the error that would have ended it."""
        from orchestrate.cli.main import cli  # noqa: PLC0415  (a look at values needs none of it)

        invocation = self.invocation()
        try:
            status = cli.main(
                args=list(arguments),
                prog_name="orchestrate",
                standalone_mode=False,
                obj=invocation,
            )
        except click.exceptions.Exit as ended:
            status = ended.exit_code
        except click.ClickException as error:
            raise OrchestrateError("usage", error.format_message().rstrip(".")) from error
        except OrchestrateError as error:
            # What it was raised from may hold what a traceback must not show.
            raise clean_error(error, invocation.redacted) from None
        finally:
            invocation.close()
        invocation.raise_trouble()
        return Answer(
            exit_status=int(status or 0),
            text="\n".join(invocation.texts),
            events=tuple(invocation.events),
            messages=tuple(invocation.messages),
            error=invocation.errors[-1] if invocation.errors else None,
        )

    def look(self, action: Callable[[Workbench], _Value]) -> _Value:
        """Return a value that a function makes with a workbench, as the commands have one."""
        invocation = self.invocation()
        try:
            value = action(Workbench(invocation))
        except OrchestrateError as error:
            raise clean_error(error, invocation.redacted) from None
        finally:
            invocation.close()
        invocation.raise_trouble()
        clean: _Value = without_secrets(value, invocation.redacted)
        return clean

    def invocation(self) -> Collecting:
        """Return what one call has for itself."""
        return Collecting(
            spec=self.spec,
            on_event=self._on_event,
            on_message=self._on_message,
            heeding=self._heeding,
            handle_signals=self._heeds_signals(),
        )

    def _heeds_signals(self) -> bool:
        """Tell whether signals are ours to heed; outside of the main thread they never are."""
        here = threading.current_thread() is threading.main_thread()
        return self._handle_signals and here

    @contextmanager
    def _heeding(self, interruption: Interruption) -> Iterator[None]:
        """Have `stop` reach a run, and signals where that was asked for, within the body."""
        signals = heeding_signals(interruption) if self._heeds_signals() else nullcontext()
        with self._lock:
            self._at_work.append(interruption)
        try:
            with signals:
                yield
        finally:
            with self._lock:
                self._at_work.remove(interruption)


class Collecting(Invocation):
    """A call that keeps what a command line would print, and tells it to whoever listens.

    A listener that raises is not called again. The run goes on, and what was raised is raised once
    the call is over: a defect of a listener must not stop a database half way.
    """

    def __init__(
        self,
        *,
        spec: Path | None,
        on_event: OnEvent | None,
        on_message: OnMessage | None,
        heeding: Callable[[Interruption], AbstractContextManager[None]],
        handle_signals: bool,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.format = "json"
        self.no_input = True
        self.verbosity = -1
        self.texts: list[str] = []
        self.events: list[RunEvent] = []
        self.messages: list[str] = []
        self.errors: list[Mapping[str, Any]] = []
        self._on_event = on_event
        self._on_message = on_message
        self._heeding = heeding
        self._handle_signals = handle_signals
        self._trouble: Exception | None = None

    @property
    def may_ask(self) -> bool:
        """Return False: a program answers by arguments."""
        return False

    def put(self, text: str) -> None:
        """Keep what was asked for."""
        self.texts.append(click.unstyle(text))

    def event(self, value: Mapping[str, Any]) -> None:
        """Keep an event, and tell it."""
        told: RunEvent = self._plain(value)
        self.events.append(told)
        self._tell(self._on_event, told)

    def error(self, value: Mapping[str, Any]) -> None:
        """Keep why a run did not succeed."""
        self.errors.append(self._plain(value))

    def say(self, text: str) -> None:
        """Keep a remark, and tell it."""
        self.complain(text)

    def complain(self, text: str) -> None:
        """Keep a remark, and tell it."""
        told = click.unstyle(self.redacted(text))
        self.messages.append(told)
        self._tell(self._on_message, told)

    def heeding(self, interruption: Interruption) -> AbstractContextManager[None]:
        """Have signals heeded where that was asked for; else `stop` alone reaches the run."""
        return self._heeding(interruption)

    def ended_by_signals(self) -> AbstractContextManager[None]:
        """Have SIGTERM end the body where signals are to be heeded."""
        return ended_by_sigterm() if self._handle_signals else nullcontext()

    def raise_trouble(self) -> None:
        """Raise what a listener raised, if one did."""
        if self._trouble is not None:
            raise self._trouble

    def _plain(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value as the JSON that is printed of it, without secrets."""
        found: dict[str, Any] = json.loads(self.as_json(value))
        return found

    def _tell(self, listener: Callable[[Any], None] | None, told: object) -> None:
        if listener is None or self._trouble is not None:
            return
        try:
            listener(told)
        except Exception as error:  # noqa: BLE001  (raised again when the call is over)
            self._trouble = error


def _spec_file(path: Path) -> Path:
    path = expanded(path).absolute()
    return path / FILE_NAME if path.is_dir() else path


def options(given: Mapping[str, object]) -> Sequence[str]:
    """Return options as a command line has them: a flag, a value, several; what is off is left out.

    A value stands behind `=`, so that one that begins with a dash is no option.
    """
    words: list[str] = []
    for name, value in given.items():
        match value:
            case None | False:
                continue
            case True:
                words.append(f"--{name}")
            case list() | tuple():
                words += [f"--{name}={one}" for one in value]
            case _:
                words.append(f"--{name}={value}")
    return words
