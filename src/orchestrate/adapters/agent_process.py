"""An agent as a process: starting it, asking it, and what to think when it falls silent.

It knows the envelope of the agent's protocol (docs/agent-protocol.md) and nothing of what the
requests mean; the pipes are `agent_line`'s. All text that comes out of here has gone through the
redactor, but for descriptions of schemas (`_SCHEMA`). Used by one thread, which reads the messages
itself: waking another for each would cost more than the message.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from orchestrate.adapters.agent_line import AgentLine
from orchestrate.adapters.agent_start import Started, start_process
from orchestrate.adapters.printed_lines import LINE_LIMIT, shown
from orchestrate.adapters.processes import HERE, Launcher
from orchestrate.adapters.redaction import Redactor
from orchestrate.errors import CODES, OrchestrateError
from orchestrate.values import dataclass

PROTOCOL: Final = 1
HELLO_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 2.0
_COMPLAINT: Final = re.compile(
    r"error|cannot|can't|could not|unable|fail|denied|refused|no such|not (found|running|exist)"
    r"|unknown|invalid|unauthorized|unreachable|timed out",
    re.IGNORECASE,
)

_DATA: Final = frozenset({"heads", "rows", "identity", "revisions", "expected", "found"})
"""Fields that are compared with other values, not read by people."""
_SCHEMA: Final = frozenset({"snapshot"})
"""Fields that describe a schema: as the database's catalogue has it, to the letter.

They are compared with what other calls recorded, and which secrets a call knows depends on the
environments that it is about: a password `password` of one must not rename the column
`password_hash` of another. So the state store may hold a word that is somebody's password, but only
one that stands in the catalogue, which whoever reads the schema sees there. What is told people of
a schema is redacted where it leaves: on the screen, in files, in notices, in the API's values.
"""
_SCHEMA_ANSWER: Final = _SCHEMA | {"rows"}
"""The same in the answer to `snapshot`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing an agent said. `fields` holds no secret but what a schema itself has."""

    event: str
    fields: Mapping[str, Any]


class AgentProcess:
    """A running agent. After any failure it is thrown away: `kill` it and start another."""

    def __init__(
        self,
        started: Started,
        *,
        command: Sequence[str],
        redactor: Redactor,
        on_output: Callable[[str], None] | None,
    ) -> None:
        self._line = AgentLine(started, redactor=redactor, on_output=on_output)
        self._name = redactor.redact(shlex.join(command))
        self._redactor = redactor
        self._last_id = 0
        self._phase = "starting"
        self._asked = ""
        self._answered = False
        self._failed = False
        self._running = False

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        cwd: Path | str,
        redactor: Redactor,
        on_output: Callable[[str], None] | None = None,
        launcher: Launcher = HERE,
    ) -> Self:
        """Start an agent behind `command`, which ends in a Python interpreter; return at once.

        The environment is inherited. `on_output` is called in another thread with each line that
        the project prints. Raises `agent-failed` when there is no such program, and what
        connecting to another host raises.
        """
        started = start_process(command, cwd=cwd, launcher=launcher)
        return cls(started, command=command, redactor=redactor, on_output=on_output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Return the process number on this machine, of the runner if there is one."""
        return self._line.process.pid

    @property
    def output(self) -> tuple[str, ...]:
        """Return the last lines that the project, or the runner, printed."""
        return tuple(self._line.output)

    @property
    def usable(self) -> bool:
        """Tell whether another request may be made."""
        line = self._line
        return not self._failed and not line.closed and line.process.poll() is None

    # --- asking -------------------------------------------------------------------------------

    def hello(self, *, deadline: float = HELLO_SECONDS) -> Mapping[str, Any]:
        """Return who answers. Raises `agent-failed`, also when it speaks another protocol."""
        found = self.call("hello", deadline=deadline)
        if found.get("protocol") != PROTOCOL:
            self._failed = True
            raise OrchestrateError(
                "agent-failed", f"`{self._name}` speaks protocol {found.get('protocol')!r}"
            )
        return found

    def call(self, do: str, *, deadline: float | None, **fields: Any) -> Mapping[str, Any]:
        """Make a request and return its result; events on the way are dropped."""
        for message in self.request(do, deadline=deadline, **fields):
            if message.event == "result":
                found: Mapping[str, Any] = message.fields["result"]
                return found
        raise AssertionError("a request ends with a result or raises")

    def later(
        self, do: str, *, deadline: float | None, **fields: Any
    ) -> Callable[[], Mapping[str, Any]]:
        """Make a request and return what waits for its result; make no other one before that."""
        messages = self.begin(do, deadline=deadline, **fields)

        def result() -> Mapping[str, Any]:
            for message in messages:
                if message.event == "result":
                    found: Mapping[str, Any] = message.fields["result"]
                    return found
            raise AssertionError("a request ends with a result or raises")

        return result

    def begin(self, do: str, *, deadline: float | None, **fields: Any) -> Iterator[Message]:
        """Make a request at once, and return what `request` yields; make no other one before."""
        mine, ends_at = self._begin(do, deadline, fields)
        return self._answers(mine, ends_at, deadline)

    def tell(self, do: str, **fields: Any) -> None:
        """Make a request whose end nobody waits for, and whose failure nobody is told of."""
        if not self._failed and not self._line.closed:
            self._last_id += 1
            self._send({"id": self._last_id, "do": do, "deadline": None, **fields})

    def request(self, do: str, *, deadline: float | None, **fields: Any) -> Iterator[Message]:
        """Make a request and yield its events, the last being `result`.

        Raises the agent's error under its own code, `agent-stalled` when there is no end before
        the deadline (in seconds, for the whole request), and `agent-failed` when the agent ends or
        talks nonsense. May be left before its end: what still comes is dropped.
        """
        yield from self.begin(do, deadline=deadline, **fields)

    def _begin(
        self, do: str, deadline: float | None, fields: Mapping[str, Any]
    ) -> tuple[int, float | None]:
        """Make a request; return its number and when its time is over."""
        if self._failed or self._line.closed:
            raise OrchestrateError("agent-failed", f"the agent `{self._name}` is no longer usable")
        self._last_id += 1
        self._phase = self._asked = do
        self._running = do == "run"
        self._send({"id": self._last_id, "do": do, "deadline": deadline, **fields})
        ends_at = None if deadline is None else time.monotonic() + deadline + _GRACE_SECONDS
        return self._last_id, ends_at

    def _answers(
        self, mine: int, ends_at: float | None, deadline: float | None
    ) -> Iterator[Message]:
        while True:
            message = self._next(ends_at, deadline)
            if message.fields.get("id") != mine:
                continue  # of a request that was left
            match message.event:
                case "phase":
                    self._phase = str(message.fields.get("phase", ""))
                case "stalled":
                    self._stalled(message, deadline)
                case "error":
                    self._failed = True
                    self._running = False
                    raise self._error(message)
                case "result":
                    if not isinstance(message.fields.get("result"), dict):
                        raise self._garbled(json.dumps(dict(message.fields)))
                    self._running = False
                    yield message
                    return
                case _:
                    pass
            yield message

    def go(self, *, ahead: str | None = None) -> None:
        """Let the agent begin what it announced; or, `ahead` of its announcement, a step."""
        self._send({"do": "go"} if ahead is None else {"do": "go", "step": ahead})

    def stop(self) -> None:
        """Have the agent end the run before what it announced."""
        self._running = False
        self._send({"do": "stop"})

    def stop_from_signal(self) -> None:
        """Ask for the same in a signal's handler, which may have interrupted this very class.

        Where a request is being written just now nothing is sent: `stop` follows in its turn.
        """
        self._line.send_from_signal(b'{"do":"stop"}\n')

    def shoot(self) -> None:
        """End its process and leave the pipes to whoever reads them; for a signal's handler."""
        self._line.process.end()

    # --- ending -------------------------------------------------------------------------------

    def close(self) -> None:
        """End the agent. One in the middle of a revision is left to finish that, and then ends.

        Safe to repeat.
        """
        self._line.close(leave=self._running)

    def kill(self) -> None:
        """End the agent at once, in the middle of whatever it does. Safe to repeat."""
        self._failed = True
        self._line.kill()

    # --- messages -----------------------------------------------------------------------------

    def _send(self, message: Mapping[str, Any]) -> None:
        self._line.send(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _next(self, ends_at: float | None, deadline: float | None) -> Message:
        line = self._line.read(ends_at)
        if line is None:
            self.kill()
            raise OrchestrateError(
                "agent-stalled", f"no answer within {deadline:g} s, during: {self._phase}"
            )
        if not line or (not line.endswith(b"\n") and self._line.process.lost):
            raise self._died()
        message = _parse(line)
        if message is None:
            raise self._garbled(line.decode("utf-8", "replace"))
        self._answered = True
        return self._redacted(message)

    def _redacted(self, message: Message) -> Message:
        schema = _SCHEMA_ANSWER if self._asked == "snapshot" else _SCHEMA
        fields = self._redact_fields(message.fields, schema)
        return Message(event=message.event, fields=fields)

    def _redact_fields(self, fields: Mapping[str, Any], schema: frozenset[str]) -> dict[str, Any]:
        return {
            key: value
            if key in schema
            else self._redactor.redact_data(value)
            if key in _DATA
            else self._redact_fields(value, schema)
            if isinstance(value, dict)
            else self._redactor.redact_value(value)
            for key, value in fields.items()
        }

    def _error(self, message: Message) -> OrchestrateError:
        fields = message.fields
        code = str(fields.get("class"))
        details = dict(fields.get("details") or {})
        text = str(fields.get("message") or "no message")
        if fields.get("traceback"):
            details["traceback"] = fields["traceback"]
        hint = None
        if code not in CODES:
            text, code = f"{code}: {text}", "agent-failed"
        if "cannot import Alembic" in text:
            hint = "Point `runner` at the Python that the project itself runs with"
        return OrchestrateError(code, text, hint=hint, where=details.get("where"), details=details)

    def _stalled(self, message: Message, deadline: float | None) -> None:
        """End an agent that says itself that its deadline has passed, unless it ends just now."""
        fields = message.fields
        doing = [f"during: {fields.get('phase') or self._phase}"]
        if fields.get("where"):
            doing.append(f"at {fields['where']}")
        if fields.get("statement"):
            doing.append(f"in the statement `{fields['statement']}`")
        self.kill()
        raise OrchestrateError(
            "agent-stalled",
            f"no end within {deadline:g} s, {', '.join(doing)}",
            where=fields.get("where"),
            details=dict(fields),
        )

    def _garbled(self, line: str) -> OrchestrateError:
        self.kill()
        said = shown(line, self._redactor).strip()[:LINE_LIMIT]
        if self._answered:
            return OrchestrateError(
                "agent-failed", f"the agent `{self._name}` sent what is no message: {said}"
            )
        return OrchestrateError(
            "agent-failed",
            f"`{self._name}` is not a Python interpreter, or something prints before it starts;"
            f" the first line was: {said}",
            hint="`runner` has to end in a Python, and to keep standard output for it"
            " (`docker compose exec -T`, `ssh -T`)",
        )

    def _died(self) -> OrchestrateError:
        """Return what is known of an agent that ended without an answer."""
        self._failed = True
        status = self._line.status()
        lines = [line for line in self.output if line.strip()]
        lost = self._line.process.lost
        if lost is not None:
            return OrchestrateError(
                "ssh-lost",
                f"{lost}, during: {self._phase}",
                details={"phase": self._phase, "output": lines[-20:]},
            )
        details = {"status": status, "phase": self._phase, "output": lines[-20:]}
        said = f": {_cause(lines)}" if lines else ", without a word"
        if lines and lines[-1].startswith("orchestrate: "):
            message = f"`{self._name}`: {lines[-1].removeprefix('orchestrate: ')}"
        elif not self._answered:
            message = f"`{self._name}` {_ending(status)} before it answered{said}"
        else:
            message = f"the agent {_ending(status)}, during: {self._phase}{said}"
        return OrchestrateError("agent-failed", message, details=details)


def _cause(lines: Sequence[str]) -> str:
    """Return the line that tells why a program ended: the first complaint, not the advice after it.

    A traceback ends with its cause.
    """
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        return lines[-1].strip()
    found = next((line for line in lines if _COMPLAINT.search(line)), lines[-1])
    return found.strip()


def _ending(status: int | None) -> str:
    if status is None:
        return "closed its output"
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _parse(line: bytes) -> Message | None:
    """Return the message of a line, or None for a line that no agent writes."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if isinstance(found, dict) and isinstance(found.get("event"), str):
        return Message(event=found["event"], fields=found)
    return None
