"""What was seen of targets at another time, so that env.py need not run where nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from orchestrate import __version__
from orchestrate.domain.events import Event
from orchestrate.domain.observation import Observation
from orchestrate.planning.digests import canonical_json, sha256_text
from orchestrate.planning.drift import left_by_runs
from orchestrate.run.access import Access
from orchestrate.stores.cached_files import CachedFiles

_FORMAT: Final = "orchestrate.sight/1"
_KEPT: Final = 500


class Memory:
    """Finds what env.py was last asked about targets, and whether they are as a run left them.

    Any thread may ask. Nothing in it is trusted further than that the agent compares it.
    """

    def __init__(self, folder: Path, *, written: Mapping[str, str]) -> None:
        """Take in where it lies and the digest of what is written for each environment."""
        self._files = CachedFiles(folder=folder, kind="sight", kept=_KEPT)
        self._written = written
        self._events: Future[Sequence[Event]] = Future()

    def learn(self, events: Iterable[Event]) -> None:
        """Take in what the journal tells of runs, for which `is_left` waits."""
        self._events.set_result(tuple(events))

    def find(self, access: Access) -> Mapping[str, Any] | None:
        """Return what the agent told of a target that is declared as it is now, or None."""
        value = self._files.read(self._name(access))
        if value is None or value.get("format") != _FORMAT:
            return None
        seen = value.get("seen")
        return (
            seen if isinstance(seen, dict) and isinstance(seen.get("graph_digest"), str) else None
        )

    def keep(self, access: Access, seen: Mapping[str, Any]) -> None:
        """Keep what the agent told of a target."""
        self._files.write(self._name(access), {"format": _FORMAT, "seen": dict(seen)})

    def is_left(self, observation: Observation, rows: str) -> bool:
        """Tell whether a target is, to the letter, what the last run left; `rows` is a digest."""
        left = left_by_runs(
            self._events.result(),
            target_key=observation.target_key,
            environment=observation.environment,
        )
        return left is not None and (left.heads, left.rows) == (observation.heads, rows)

    def _name(self, access: Access) -> str:
        """Return a name for all that decides what env.py is asked; no secret shows in it."""
        facts = [
            __version__,
            access.environment,
            access.target,
            self._written[access.environment],
            access.command,
            str(access.far),
            access.project,
            access.url.reveal(),
        ]
        return sha256_text(access.redactor.redact(canonical_json(facts)))[:32]
