"""Which revisions lead from here to there, in Alembic's own order.

The graph comes in as values and is walked by Alembic's `RevisionMap`, which touches neither disk
nor database, so that branches, merges, labels, `depends_on` and every form of a relative or partial
identifier mean here what they mean to `alembic upgrade`. The rows that each step leaves in the
version table come from Alembic's own `HeadMaintainer`, with its SQL left out: a dependency's row is
folded into the row of what depends on it, and only Alembic knows exactly when.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from orchestrate.domain.plan import Direction
from orchestrate.domain.revisions import Graph, Revision
from orchestrate.errors import OrchestrateError
from orchestrate.planning.alembic_parts import (
    HeadMaintainer,
    RevisionStep,
    script_directory_class,
    script_revision,
)
from orchestrate.planning.troubles import merge_command
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One revision applied or undone, with the rows of the version table before and after."""

    revision: Revision
    from_heads: tuple[str, ...]
    to_heads: tuple[str, ...]


class _Node(script_revision.Revision):
    """A revision for `RevisionMap`; the empty module is what `RevisionStep` looks for."""

    module = SimpleNamespace(upgrade=None, downgrade=None)


class _Rows(HeadMaintainer):
    """The version table's rows as a set in memory."""

    def __init__(self, heads: Iterable[str]) -> None:
        self.heads = set(heads)

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


class Chain:
    """The revisions of one project for one dialect, ready to be walked."""

    def __init__(self, graph: Graph) -> None:
        """Take the graph in; raises `project-unreadable` when it contradicts itself."""
        self.graph = graph
        self.by_id = {revision.id: revision for revision in graph.revisions}
        self._map = script_revision.RevisionMap(
            lambda: [
                _Node(
                    revision.id,
                    revision.down or None,
                    revision.depends_on or None,
                    revision.labels or None,
                )
                for revision in graph.revisions
            ]
        )
        problem = _contradiction(graph)
        if problem:
            raise OrchestrateError("project-unreadable", problem)
        with _translated("heads"):
            _ = self._map._revision_map  # noqa: SLF001  (loading is lazy; errors belong here)

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the identifiers that nothing follows, sorted."""
        return tuple(sorted(self._map.heads))

    def unknown(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Return those of a database's rows that this project does not have."""
        return tuple(head for head in heads if head not in self.by_id)

    def ancestors(self, heads: Iterable[str]) -> frozenset[str]:
        """Return all that is applied when these are the rows, dependencies included."""
        found: set[str] = set()
        waiting = list(heads)
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                revision = self.by_id[current]
                waiting += revision.down + revision.depends_on
        return frozenset(found)

    def ancestors_known(self, heads: Iterable[str]) -> frozenset[str]:
        """Return all that is applied under those of the rows that this project has."""
        return self.ancestors(head for head in heads if head in self.by_id)

    def overlapping(self, heads: tuple[str, ...]) -> tuple[str, ...]:
        """Return rows that another row follows directly: the table contradicts itself."""
        return tuple(
            head
            for head in heads
            if any(other != head and head in self._lineage(other) for other in heads)
        )

    def _lineage(self, head: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = list(self.by_id[head].down)
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting += self.by_id[current].down
        return frozenset(found)

    def resolve(self, to: str) -> tuple[str, ...]:
        """Return the revisions that an absolute destination names; `base` is the empty tuple.

        Raises `unknown-revision`, `ambiguous-revision` or `multiple-heads`.
        """
        with _translated(to):
            return tuple(
                node.revision
                for node in self._map.get_revisions(to)
                if isinstance(node, script_revision.Revision)
            )

    def moves(
        self, *, direction: Direction, heads: tuple[str, ...], to: str | tuple[str, ...]
    ) -> tuple[Move, ...]:
        """Return the ordered moves from the rows `heads` to the destination `to`.

        `to` is whatever `alembic upgrade` or `alembic downgrade` takes, or several revisions to
        upgrade to. Raises `unknown-revision`,
        `ambiguous-revision` or `multiple-heads`.
        """
        with _translated(to if isinstance(to, str) else " ".join(to)):
            nodes = list(self._walk(direction, heads, to))
        return self._moved(nodes, direction, heads)

    def moves_of(
        self, revisions: Sequence[str], *, direction: Direction, heads: tuple[str, ...]
    ) -> tuple[Move, ...]:
        """Return the moves by which these very revisions follow each other from the rows `heads`.

        Raises `unknown-revision`.
        """
        for one in revisions:
            if one not in self.by_id:
                raise OrchestrateError(
                    "unknown-revision",
                    f"The project has no revision `{one}` any more, which would have to be "
                    f"{'undone' if direction == 'downgrade' else 'applied'}",
                    hint=f"`git log --all -- '*{one}*'` finds where it was",
                )
        return self._moved([self._map.get_revision(one) for one in revisions], direction, heads)

    def _moved(
        self, nodes: Sequence[Any], direction: Direction, heads: tuple[str, ...]
    ) -> tuple[Move, ...]:
        rows = _Rows(heads)
        moves = []
        for node in nodes:
            before = tuple(sorted(rows.heads))
            step = RevisionStep(self._map, node, direction == "upgrade")
            rows.update_to_step(step)
            moves.append(
                Move(
                    revision=self.by_id[node.revision],
                    from_heads=before,
                    to_heads=tuple(sorted(rows.heads)),
                )
            )
        return tuple(moves)

    def stamped(self, heads: tuple[str, ...], to: Sequence[str]) -> tuple[str, ...]:
        """Return the rows that `alembic stamp TO…` leaves of the rows `heads`.

        Rows of other branches stay. Raises what `resolve` raises.
        """
        for one in to:
            self.resolve(one)
        # Alembic's own choice of steps, which needs no more of a script directory than its map.
        kind = script_directory_class()
        script = kind.__new__(kind)
        script.revision_map = self._map
        with _translated(" ".join(to)):
            steps = script._stamp_revs(tuple(to), heads)  # noqa: SLF001
        rows = _Rows(heads)
        try:
            for step in steps:
                rows.update_to_step(step)
        except KeyError as error:
            raise OrchestrateError(
                "ambiguous-revision",
                f"Alembic finds no way to stamp {', '.join(to)} together where the rows are "
                f"{', '.join(heads) or 'none'}",
                hint="Stamp them one after the other: the first replaces, the next ones are added",
            ) from error
        return tuple(sorted(rows.heads))

    def _walk(
        self, direction: Direction, heads: tuple[str, ...], to: str | tuple[str, ...]
    ) -> Iterator[Any]:
        # The two calls of ScriptDirectory._upgrade_revs and _downgrade_revs.
        if direction == "upgrade":
            nodes = self._map.iterate_revisions(to, heads, implicit_base=True)
            return reversed(list(nodes))
        return self._map.iterate_revisions(heads, to, select_for_downgrade=True)


def _contradiction(graph: Graph) -> str | None:
    """Return what makes the graph unusable, where Alembic itself would only warn."""
    files: dict[str, str] = {}
    for revision in graph.revisions:
        if revision.id in files:
            return (
                f"Revision `{revision.id}` stands in two files: `{files[revision.id]}` "
                f"and `{revision.file}`"
            )
        files[revision.id] = revision.file
    for revision in graph.revisions:
        for parent in revision.down + revision.depends_on:
            if parent not in files:
                return (
                    f"Revision `{revision.id}` in `{revision.file}` follows `{parent}`, "
                    "which no file has"
                )
    return None


@contextmanager
def _translated(to: str) -> Iterator[None]:
    """Turn Alembic's revision errors into ours, naming the destination that was asked for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except script_revision.MultipleHeads as error:
        raise OrchestrateError(
            "multiple-heads",
            f"`{to}` is ambiguous: the project has the heads {', '.join(sorted(error.heads))}",
            hint=f"`{merge_command('ENV')}` joins them; or give one of them, `LABEL@head`, or "
            "`heads` for all",
        ) from error
    except script_revision.ResolutionError as error:
        code = "ambiguous-revision" if "Multiple" in str(error) else "unknown-revision"
        raise OrchestrateError(
            code,
            f"`{to}` does not name a revision of this project: {error}"
            if code == "ambiguous-revision"
            else f"No revision of this project is called `{error.argument}`",
            hint="`orchestrate plan ENV` lists what is pending; `heads`, `+1` and "
            "`LABEL@head` work as with Alembic",
        ) from error
    except script_revision.RangeNotAncestorError as error:
        raise OrchestrateError(
            "ambiguous-revision",
            f"`{to}` cannot be reached from where the database is: it lies on another branch "
            "or in the other direction",
            hint="Use `rollback --to` to go back, `plan --to` to go forward",
        ) from error
    except script_revision.CycleDetected as error:
        raise OrchestrateError(
            "project-unreadable", f"The revisions follow each other in a circle: {error}"
        ) from error
    except script_revision.RevisionError as error:
        raise OrchestrateError(
            "ambiguous-revision",
            f"`{to}` cannot be used here: {error}",
            hint="Name a revision, `LABEL@head` or `heads`; steps are counted along one line only",
        ) from error
