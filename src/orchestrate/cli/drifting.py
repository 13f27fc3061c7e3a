"""The way of a report: look at all targets, find what each is compared with, compare, judge."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from orchestrate import __version__
from orchestrate.cli.gating import record_identity
from orchestrate.cli.looking import DriftSight, look_for_drift, without_sight
from orchestrate.cli.workbench import Workbench
from orchestrate.cli.yardstick import Expected, Yardstick
from orchestrate.domain.drift import (
    Against,
    AtWork,
    DriftDifference,
    DriftReport,
    EnvironmentDrift,
    LastRun,
    TargetDrift,
    TargetTrouble,
)
from orchestrate.domain.leases import Lease
from orchestrate.domain.observation import Observation, Unreachable
from orchestrate.domain.snapshot import Snapshot
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.drift import (
    RECORD_KINDS,
    Left,
    identity_difference,
    left_by_runs,
    revision_difference,
    with_news,
    with_rules,
)
from orchestrate.planning.identities import identify
from orchestrate.planning.run_state import RunState
from orchestrate.planning.standing import Standing, judge, tables_missing, unversioned
from orchestrate.planning.trouble_pages import page_of, page_path
from orchestrate.planning.unknown_rows import unknown_rows
from orchestrate.run.access import Access
from orchestrate.run.drift_reports import keep_report, reported_before
from orchestrate.run.journal import all_runs
from orchestrate.run.lease_keeper import is_dead
from orchestrate.run.observe import Seen
from orchestrate.values import dataclass

_REPLAYS: Final = 4
"""Scratch databases at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A report, and what it was made from."""

    report: DriftReport
    seen: dict[str, Seen]
    """By environment; each has the project's graph where it could be read."""
    runs: tuple[RunState, ...]
    """Every run of the journal, oldest first, without steps."""


def drift_report(
    bench: Workbench,
    chosen: Sequence[Environment],
    against: Against | None,
    *,
    keep: bool = True,
    sight: DriftSight | None = None,
) -> Looked:
    """Look at environments, all at the same time, and report what differs; write to none of them.

    `sight` is what was looked at already. The report is kept in the state store. Raises
    `state-unavailable`.
    """
    sight = sight or look_for_drift(bench, chosen, against)
    began, seen = sight.began, sight.seen
    runs = all_runs(bench.state)
    targets = [
        _Target(
            bench=bench,
            environment=one,
            seen=seen,
            one=seen[one.name],
            runs=[run for run in runs if run.environment == one.name],
            against=against,
            began=began,
        )
        for one in chosen
    ]
    with ThreadPoolExecutor(_REPLAYS) as pool:
        judged = list(pool.map(_Target.judged, targets))
    before = reported_before(bench.state, against, [(one.environment, one.name) for one in judged])
    told = []
    for one in judged:
        earlier = before[one.environment, one.name]
        found = with_news(one, last=earlier.last, failed_before=earlier.failed)
        if earlier.why_not is not None:
            found = replace(found, remarks=(*found.remarks, earlier.why_not))
        told.append(found)
    now = bench.clock.now()
    report = DriftReport(
        id=bench.identifier("drift", now),
        created_at=now,
        against=against,
        environments=tuple(EnvironmentDrift(name=one.environment, targets=(one,)) for one in told),
        tool_version=__version__,
        previous=max((one.previous for one in told if one.previous), default=None),
    )
    if keep:
        _keep(bench, report)
    return Looked(report=report, seen=seen, runs=tuple(runs))


def _keep(bench: Workbench, report: DriftReport) -> None:
    """Keep a report; who may only read the state store has it all the same, on the screen."""
    try:
        keep_report(bench.state, report)
    except OrchestrateError as error:
        bench.invocation.complain(f"The report could not be kept: {error.message}")


@dataclass(slots=True, kw_only=True)
class _Target:
    """One target on its way into the report."""

    bench: Workbench
    environment: Environment
    seen: dict[str, Seen]
    """Of all environments."""
    one: Seen
    runs: Sequence[RunState]
    """Of this environment."""
    against: Against | None
    began: datetime
    """When the looking began."""
    remarks: list[str] = field(default_factory=list)

    def judged(self) -> TargetDrift:
        """Return the target as the report has it; what fails is a row with its cause."""
        chain = None
        try:
            chain = self.bench.chain(self.one.graph) if self.one.graph else None
        except OrchestrateError as error:
            self.one = without_sight(self.environment, error, access=self.one.access)
        sight = self.one.sight
        if isinstance(sight, Unreachable) or chain is None:
            return self._unreachable()
        standing, wanted = self._standing(sight, chain)
        plain = self._plain(sight, standing, chain)
        events = self.bench.state.events(kinds=RECORD_KINDS)
        left = left_by_runs(events, target_key=sight.target_key, environment=self.environment.name)
        working = self._at_work(sight)
        if working is None and not (left and left.at >= self.began):
            plain = self._compared(plain, sight, standing, chain, wanted, left)
            working = self._at_work(sight)
        else:
            plain = replace(plain, remarks=("a run changes it right now: look again later",))
        # What was read beside a run may be a schema on its way.
        return replace(self._plain(sight, standing, chain), at_work=working) if working else plain

    def _compared(  # noqa: PLR0917  (private, called once)
        self,
        plain: TargetDrift,
        sight: Observation,
        standing: Standing,
        chain: Chain,
        wanted: tuple[str, ...],
        left: Left | None,
    ) -> TargetDrift:
        differences = [
            *self._identity(sight),
            *self._revision(sight, standing, chain, wanted, left),
        ]
        yardstick = Yardstick(
            bench=self.bench,
            environment=self.environment,
            access=self._access(),
            sight=sight,
            chain=chain,
            unknown=bool(standing.unknown),
            left=left,
        )
        error = _trouble("its schema", self.one.rows_error) if self.one.rows_error else None
        expected = yardstick.unchanged(self._digest(), self.against)
        not_compared: tuple[str, ...] = ()
        if expected is None:
            actual, expected = self._actual(sight), Expected()
            try:
                expected = yardstick.measure(self.against) if actual else expected
            except OrchestrateError as damage:
                self.bench.invocation.record(damage)
                error = _trouble("what its schema is compared with", damage)
            if actual is not None and expected.found is not None:
                differences += expected.found(actual)
                not_compared = expected.not_compared(actual)
        rules = self.environment.drift.ignore if self.environment.drift else ()
        marked, ended = with_rules(differences, rules, today=self.bench.clock.now().date())
        why_not = [expected.why_not] if expected.why_not else []
        return replace(
            plain,
            compared_with=expected.against,
            basis=expected.basis,
            differences=tuple(self._with_remedy(one) for one in marked),
            not_compared=not_compared,
            error=error,
            remarks=(*self.remarks, *why_not, *ended),
        )

    # --- where it stands ----------------------------------------------------------------------

    def _unreachable(self) -> TargetDrift:
        sight, error = self.one.sight, self.one.error
        if error is not None:
            self.bench.invocation.record(error)
        if not isinstance(sight, Unreachable):
            raise TypeError(sight)
        page = page_of(sight.trouble, sight.code)
        return TargetDrift(
            environment=self.environment.name,
            name=sight.target,
            dialect=sight.dialect,
            state="unreachable",
            heads=(),
            project_heads=(),
            pending=0,
            identity=None,
            server_version=None,
            compared_with=None,
            basis=None,
            error=TargetTrouble(
                code=sight.code,
                message=sight.message,
                hint=sight.hint,
                docs=page_path(page) if page else None,
            ),
            last_run=self._last_run(),
        )

    def _plain(self, sight: Observation, standing: Standing, chain: Chain) -> TargetDrift:
        return TargetDrift(
            environment=self.environment.name,
            name=sight.target,
            dialect=sight.dialect,
            state=standing.state,
            heads=sight.heads,
            project_heads=chain.heads,
            pending=standing.pending,
            identity=sight.identity,
            server_version=sight.server_version,
            compared_with=None,
            basis=None,
            last_run=self._last_run(),
        )

    def _standing(self, sight: Observation, chain: Chain) -> tuple[Standing, tuple[str, ...]]:
        to = self.environment.to
        try:
            standing, wanted = judge(sight, chain, to=to), chain.heads
            with contextlib.suppress(OrchestrateError):  # `+1` is no place
                wanted = chain.resolve(to)
        except OrchestrateError as error:
            self.remarks.append(f"`to: {to}` in the spec: {error.message} [{error.code}]")
            return judge(sight, chain, to="heads"), chain.heads
        return standing, wanted

    def _last_run(self) -> LastRun | None:
        if not self.runs:
            return None
        run = self.runs[-1]
        return LastRun(
            id=run.id,
            status=run.status,
            direction=run.direction,
            started_at=run.started_at,
            finished_at=run.finished_at,
            by=run.by,
        )

    def _at_work(self, sight: Observation) -> AtWork | None:
        """Return the run that holds the target's lease and keeps it."""
        now = self.bench.clock.now()
        for lease in self.bench.state.leases():
            if self._concerns(lease, sight) and lease.expires_at > now and not is_dead(lease):
                return AtWork(
                    run=lease.run,
                    holder=lease.holder,
                    lease=lease.id,
                    step=lease.step,
                    since=lease.acquired_at,
                )
        return None

    def _concerns(self, lease: Lease, sight: Observation) -> bool:
        return lease.environment == self.environment.name or lease.target_key == sight.target_key

    # --- identity and revision ----------------------------------------------------------------

    def _identity(self, sight: Observation) -> list[DriftDifference]:
        others = tuple(
            other.sight for other in self.seen.values() if isinstance(other.sight, Observation)
        )
        records = self.bench.state.identities()
        verdict = identify(sight, records, others)
        if verdict.kind == "first-use":
            with contextlib.suppress(OrchestrateError):
                record_identity(self.bench, sight, kind="identity.recorded")
        recorded = next(
            (
                one.identity
                for one in records
                if (one.environment, one.target) == (sight.environment, sight.target)
            ),
            None,
        )
        found = identity_difference(
            self.environment.name, verdict, recorded=recorded, found=sight.identity
        )
        return [found] if found else []

    def _revision(
        self,
        sight: Observation,
        standing: Standing,
        chain: Chain,
        wanted: tuple[str, ...],
        left: Left | None,
    ) -> list[DriftDifference]:
        name, unknown = self.environment.name, None
        if standing.unknown:
            places = self.bench.sightings(self.environment, standing.unknown, chain.graph)
            error = unknown_rows(name, standing.unknown, places)
            unknown = error.message.removeprefix(f"{name} is ")
            self.remarks.append(error.hint or "")
        elif standing.state == "unversioned":
            self.remarks.append(
                f"{unversioned(sight)}; `orchestrate stamp {name} REV` records the one it is of"
            )
        self.remarks += [one for one in [tables_missing(sight)] if one]
        self.remarks += [
            f"run {run.id} is {'in doubt' if run.status == 'in-doubt' else 'unfinished'}: "
            f"`orchestrate resume {run.id}`"
            for run in self.runs
            if run.unfinished
        ]
        found = revision_difference(sight, standing, wanted=wanted, left=left, unknown=unknown)
        return [found] if found else []

    # --- the schema ---------------------------------------------------------------------------

    def _digest(self) -> str:
        """Return the digest of what was read of the schema, if it was not compared already."""
        return self.one.rows_digest or self._access().digest_of(self.one.rows or {})

    def _actual(self, sight: Observation) -> Snapshot | None:
        if not self.one.rows:
            if self.one.rows_error is None:
                self.remarks.append("how a schema of this kind of database is read is not known")
            return None
        access = self._access()
        return access.dialect.snapshot(self.one.rows, version_table=sight.version_table)

    def _with_remedy(self, one: DriftDifference) -> DriftDifference:
        if one.kind != "schema" or one.known:
            return one
        return replace(one, remedy=self._access().dialect.remedy(one))

    def _access(self) -> Access:
        if self.one.access is None:
            raise AssertionError
        return self.one.access


def _trouble(what: str, error: OrchestrateError) -> TargetTrouble:
    page = page_of(error.trouble, error.code)
    return TargetTrouble(
        code=error.code,
        message=f"{what} could not be read: {error.message}",
        hint=error.hint,
        docs=page_path(page) if page else None,
    )
