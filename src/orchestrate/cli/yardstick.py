"""What a target's schema is compared with: what a run left, its revisions made anew, its models."""

from __future__ import annotations

from collections.abc import Callable

from orchestrate.cli.replaying import replayed_schema
from orchestrate.cli.workbench import Workbench
from orchestrate.dialects.difference import compare, not_comparable
from orchestrate.domain.drift import Against, DriftDifference
from orchestrate.domain.observation import Observation
from orchestrate.domain.snapshot import GRANTS, OWN_TABLES, Snapshot
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.drift import Left, schema_differences
from orchestrate.planning.renames import with_renames
from orchestrate.planning.rollback import SCHEMA_KINDS, schema_check
from orchestrate.planning.staleness import words
from orchestrate.run.access import Access
from orchestrate.run.observe import open_session
from orchestrate.run.scratch import obstacle
from orchestrate.stores.snapshots import snapshot_from_text
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a schema is compared with, or why it is not."""

    against: Against | None = None
    basis: str | None = None
    found: Callable[[Snapshot], tuple[DriftDifference, ...]] | None = None
    """Returns what differs in the schema that is there."""
    not_compared: Callable[[Snapshot], tuple[str, ...]] = lambda _: ()
    why_not: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """Finds what one target is measured against."""

    bench: Workbench
    environment: Environment
    access: Access
    sight: Observation
    chain: Chain
    unknown: bool
    """The version table has rows that no revision of the checkout has."""
    left: Left | None

    def measure(self, against: Against | None) -> Expected:
        """Return what was asked for, or else the best there is."""
        sight = self.sight
        match against:
            case "snapshot":
                return self._recorded(moved=True) or Expected(
                    why_not="no run of orchestrate has left a recorded schema here: "
                    "`--against replay` compares with what the revisions make"
                )
            case "replay":
                return self._replayed()
            case "models":
                return self._models()
            case None:
                return self._recorded(moved=not sight.heads) or self._anew()

    def unchanged(self, rows: str, against: Against | None) -> Expected | None:
        """Return what the last run left if that is what was read, to the letter; else None.

        `rows` is the digest of what was read.
        """
        left = self.left
        if left is None or left.rows is None or against not in {None, "snapshot"}:
            return None
        if left.heads != self.sight.heads or left.rows != rows:
            return None
        return Expected(against="snapshot", basis=_left(left))

    def _recorded(self, *, moved: bool) -> Expected | None:
        """Return the schema that the last run left; `moved`: at other rows than today's, too."""
        left = self.left
        if left is not None and (moved or left.heads == self.sight.heads):
            return self._snapshot(left.snapshot, _left(left))
        check = schema_check(
            self.bench.state.events(kinds=SCHEMA_KINDS),
            target_key=self.sight.target_key,
            heads=self.sight.heads,
        )
        return self._snapshot(check.snapshot, check.source) if check.snapshot else None

    def _snapshot(self, digest: str, basis: str) -> Expected:
        saved = snapshot_from_text(self.bench.state.load_snapshot(digest))
        return _schema("snapshot", basis, saved)

    def _anew(self) -> Expected:
        """Return the schema that the revisions make, or where that is not possible the models'."""
        if not self.sight.heads:
            return Expected(why_not="no revision is recorded, so that there is nothing to compare")
        found = self._replayed()
        if found.found is not None or self.unknown:
            return found
        models = self._models()
        if models.found is not None:
            return models
        return Expected(why_not=f"{found.why_not}; {models.why_not}")

    def _replayed(self) -> Expected:
        heads = self.sight.heads
        if self.unknown:
            return Expected(why_not="what revisions that this checkout lacks make is not known")
        if not heads:
            return Expected(why_not="no revision is recorded, so that nothing can be made anew")
        try:
            schema = replayed_schema(self.bench, self.environment, self.access, self.chain, heads)
        except OrchestrateError as error:
            return Expected(why_not=f"not compared with its revisions: {obstacle(error)}")
        # Grants name accounts, which come and go beside the revisions.
        basis = f"{words(heads)}, made anew in a scratch database"
        return _schema("replay", basis, schema, without=GRANTS)

    def _models(self) -> Expected:
        sight = self.sight
        if sight.heads != self.chain.heads:
            return Expected(
                why_not=f"not compared with the models, which are those of "
                f"{words(self.chain.heads)}: the database is at {words(sight.heads)}"
            )
        try:
            with open_session(self.access) as session:
                found = session.differences_to_models()
        except OrchestrateError as error:
            return Expected(why_not=f"comparing with the models failed: {error.message}")
        if found is None:
            return Expected(why_not="env.py names no models to compare with")
        ours = [one for one in found if not OWN_TABLES & {*one.name.split(".")}]
        return Expected(
            against="models",
            basis="the project's models, as far as autogenerate sees",
            found=lambda _: schema_differences(ours),
        )


def _left(left: Left) -> str:
    return f"what {left.run} left at {words(left.heads)}"


def _schema(
    against: Against, basis: str, expected: Snapshot, *, without: frozenset[str] = frozenset()
) -> Expected:
    def found(actual: Snapshot) -> tuple[DriftDifference, ...]:
        differences = schema_differences(compare(expected, actual, without=without))
        return with_renames(differences, expected, actual) if differences else ()

    return Expected(
        against=against,
        basis=basis,
        found=found,
        not_compared=lambda actual: not_comparable(expected, actual),
    )
