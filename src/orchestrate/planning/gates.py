"""Gates that the spec declares, as they stand at a moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Gate
from orchestrate.domain.spec_protections import Window
from orchestrate.planning.windows import WindowState, window_state

OVERRIDABLE = frozenset({"approval", "backup", "policy", "promotion", "rehearsal", "window"})
"""Never identity, nor the lease."""
_CODES: Mapping[str, str] = {
    "window": "window-closed",
    "backup": "backup-impossible",
    "promotion": "not-promoted",
    "policy": "policy-blocked",
    "rehearsal": "not-rehearsed",
}
_UNAMBIGUOUS_SECONDS = 6 * 86400


def refusal_code(gate: Gate) -> str:
    """Return the error code of a closed gate."""
    return gate.code or _CODES.get(gate.kind, "gate-closed")


def overridden(gate: Gate, reasons: Mapping[str, str]) -> Gate:
    """Return a closed gate as overridden, where a person gave a reason."""
    if gate.state != "closed" or gate.kind not in reasons:
        return gate
    return Gate(kind=gate.kind, state="overridden", detail=f"{gate.detail}; {reasons[gate.kind]}")


def window_gate(window: Window, now: datetime) -> Gate:
    """Return how the window stands and what opens it."""
    state = window_state(window, now)
    return Gate(
        kind="window",
        state="open" if state.is_open else "closed",
        detail=window_detail(window, state, now),
    )


def window_detail(window: Window, state: WindowState, now: datetime) -> str:
    """Return `opens Sat 01:00 Europe/Berlin, in 3 d 4 h`, or until when it is open."""
    if state.changes_at is None:
        return "always open" if state.is_open else "does not open within a year"
    local = state.changes_at.astimezone(ZoneInfo(window.timezone))
    left = (state.changes_at - now).total_seconds()
    # Beyond that a weekday alone may be taken for the one of today.
    moment = f"{local:%a %H:%M}" if left < _UNAMBIGUOUS_SECONDS else f"{local:%a %Y-%m-%d %H:%M}"
    if state.is_open:
        return f"open until {moment} {window.timezone}, for {duration(left)}"
    why = "frozen; " if state.frozen else ""
    return f"{why}opens {moment} {window.timezone}, in {duration(left)}"
