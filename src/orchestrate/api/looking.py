"""The half of the API that changes no database: looks, plans, checks, the journal, pages."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestrate.api.calling import Caller, OnEvent, OnMessage, options
from orchestrate.api.results import Answer
from orchestrate.domain.findings import Finding
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.backups import Backup
    from orchestrate.domain.diagnosis import Check
    from orchestrate.domain.drift import Against, Comparison, DriftReport
    from orchestrate.domain.leases import Lease
    from orchestrate.domain.plan import Plan
    from orchestrate.domain.rehearsals import CloneSource, Rehearsal
    from orchestrate.planning.run_state import RunState
    from orchestrate.reports.standings import StatusRow


class Looks:
    """What `Orchestrator` can tell. Nothing here writes to a target."""

    def __init__(
        self,
        spec: Path | str | None = None,
        *,
        on_event: OnEvent | None = None,
        on_message: OnMessage | None = None,
        handle_signals: bool = False,
    ) -> None:
        self._caller = Caller(
            spec, on_event=on_event, on_message=on_message, handle_signals=handle_signals
        )

    def call(self, *arguments: str) -> Answer:
        """Run any command as it would be typed, `orchestrate` itself left out.

        For what has no method of its own, and for tools that hand words on. The data is JSON unless
        `--format` says otherwise. Relative files are relative to the current folder.

        Raises what the command ends with, but returns how a run that did not succeed ended:
        `exit_status` and `error` have it.
        """
        return self._caller.call(*arguments)

    def status(self, *environments: str) -> tuple[StatusRow, ...]:
        """Return where environments stand, those named or all, looked at at the same time.

        What could not be reached is a row as well, with an `Unreachable` as its `sight`.
        """

        def rows(bench: Workbench) -> tuple[StatusRow, ...]:
            from orchestrate.cli.status import status_rows  # noqa: PLC0415  (heavy)

            return tuple(status_rows(bench, bench.chosen(environments)))

        return self._caller.look(rows)

    def plan(
        self,
        environment: str,
        *,
        to: str | None = None,
        sql: bool = False,
        out: Path | str | None = None,
    ) -> Plan:
        """Return what `apply` would do, with the SQL of each step where that is asked for.

        `out` saves it as a file as well. Raises what `orchestrate plan` ends with.
        """
        from orchestrate.stores.plan_files import plan_from_text  # noqa: PLC0415  (heavy)

        with tempfile.TemporaryDirectory() as folder:
            given = {"to": to, "out": _absolute(out), "sql": folder if sql else None}
            answer = self.call("plan", *options(given), "--", environment)
        return plan_from_text(answer.text, where=f"the plan for {environment}")

    def read_plan(self, path: Path | str) -> Plan:
        """Return the plan of a file. Raises `plan-unreadable`."""
        from orchestrate.stores.plan_files import read_plan  # noqa: PLC0415  (heavy)

        return read_plan(Path(path))

    def validate(self) -> tuple[Finding, ...]:
        """Check the spec and reach nothing; return its warnings.

        Raises `spec-invalid`, with every mistake as one of `findings`.
        """
        return tuple(Finding(**one) for one in self.call("validate").json["findings"])

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the spec."""
        value: dict[str, Any] = self.call("schema").json
        return value

    def doctor(self, *environments: str) -> Mapping[str, Sequence[Check]]:
        """Return every check around environments, those named or all, each with its remedy."""

        def checks(bench: Workbench) -> Mapping[str, Sequence[Check]]:
            from orchestrate.cli.diagnosing import diagnose  # noqa: PLC0415  (heavy)

            return diagnose(bench, bench.chosen(environments), lambda *_: None)

        return self._caller.look(checks)

    def drift(self, *environments: str, against: Against | None = None) -> DriftReport:
        """Return what differs from what is declared or recorded; kept in the state store."""

        def report(bench: Workbench) -> DriftReport:
            from orchestrate.cli.drifting import drift_report  # noqa: PLC0415  (heavy)

            return drift_report(bench, bench.chosen(environments), against).report

        return self._caller.look(report)

    def compare(self, first: str, second: str, *, grants: bool = False) -> Comparison:
        """Return in what the second environment's schema differs from the first one's."""

        def comparison(bench: Workbench) -> Comparison:
            from orchestrate.cli.compare import compared  # noqa: PLC0415  (heavy)

            pair = (bench.environment(first), bench.environment(second))
            return compared(bench, pair, grants=grants)

        return self._caller.look(comparison)

    def lint(
        self,
        environment: str | None = None,
        *,
        range: str | None = None,  # noqa: A002  (the option's name)
        dialect: str | None = None,
        squawk: bool = True,
    ) -> tuple[Finding, ...]:
        """Return what the rules say of revisions: all, a range, or what is pending somewhere."""

        def findings(bench: Workbench) -> tuple[Finding, ...]:
            from orchestrate.cli.linting import Asked, lint_spec  # noqa: PLC0415  (heavy)

            asked = Asked(
                environment=bench.environment(environment) if environment else None,
                range=range,
                dialect=dialect,
                squawk=squawk,
            )
            return lint_spec(bench, asked).findings

        return self._caller.look(findings)

    def rehearse(
        self,
        environment: str,
        *,
        to: str | None = None,
        source: CloneSource | None = None,
        forward_only: bool = False,
        rows: int | None = None,
    ) -> Rehearsal | None:
        """Carry the plan out on a clone and return what was measured; None: nothing to do.

        `rows` are generated for each table of a clone that is made from the revisions alone.

        A revision that fails there is in its `trouble`. The target is not changed.
        """

        def rehearsal(bench: Workbench) -> Rehearsal | None:
            from orchestrate.cli.rehearsing import rehearse_environment  # noqa: PLC0415  (heavy)
            from orchestrate.domain.rehearsals import ROWS  # noqa: PLC0415  (as above)

            declared = bench.environment(environment)
            with bench.invocation.ended_by_signals():
                return rehearse_environment(
                    bench,
                    declared,
                    to=to,
                    source=source,
                    forward_only=forward_only,
                    rows=ROWS if rows is None else rows,
                )[1]

        return self._caller.look(rehearsal)

    # --- the journal --------------------------------------------------------------------------

    def history(self, environment: str | None = None, *, limit: int = 50) -> tuple[RunState, ...]:
        """Return runs with their steps, newest first."""

        def runs(bench: Workbench) -> tuple[RunState, ...]:
            from orchestrate.run.journal import runs_with_steps  # noqa: PLC0415  (heavy)

            wanted = bench.environment(environment).name if environment else None
            found = reversed(runs_with_steps(bench.state))
            return tuple(one for one in found if wanted in {None, one.environment})[:limit]

        return self._caller.look(runs)

    def show(self, run: str) -> RunState:
        """Return one run with its steps. Raises `unknown-run`."""

        def state(bench: Workbench) -> RunState:
            from orchestrate.run.journal import run_with_steps  # noqa: PLC0415  (heavy)

            found = run_with_steps(bench.state, run)
            if found is None:
                raise OrchestrateError("unknown-run", f"The journal has no run `{run}`")
            return found

        return self._caller.look(state)

    def plan_of(self, run: str) -> Plan:
        """Return the plan that a run carries out. Raises `unknown-run`."""

        def plan(bench: Workbench) -> Plan:
            from orchestrate.stores.plan_files import plan_from_text  # noqa: PLC0415  (heavy)

            identifier = self.show(run).plan_id
            return plan_from_text(bench.state.load_plan(identifier), where=f"plan {identifier}")

        return self._caller.look(plan)

    def verify_journal(self) -> int:
        """Check the journal's hash chain; return how many events it has.

        Raises `journal-broken`.
        """
        return int(self.call("history", "--verify").json["events"])

    def leases(self, environment: str | None = None) -> tuple[Lease, ...]:
        """Return who holds the right to change something now."""

        def leases(bench: Workbench) -> tuple[Lease, ...]:
            wanted = bench.environment(environment).name if environment else None
            return tuple(one for one in bench.state.leases() if wanted in {None, one.environment})

        return self._caller.look(leases)

    def backups(self, *named: str, removed_too: bool = False) -> tuple[Backup, ...]:
        """Return the catalogue's copies, newest first: of environments, by name, or all."""

        def copies(bench: Workbench) -> tuple[Backup, ...]:
            from orchestrate.cli.backing_up import chosen_copies  # noqa: PLC0415  (heavy)

            return tuple(reversed(chosen_copies(bench, named, removed_too=removed_too)))

        return self._caller.look(copies)

    def approvals(self, *named: str) -> dict[str, Any]:
        """Return approvals and the plans that wait for some, as docs/json.md has them."""
        value: dict[str, Any] = self.call("approvals", "--", *named).json
        return value

    # --- pages --------------------------------------------------------------------------------

    def runbook(
        self,
        environment: str | Path | None = None,
        *,
        to: str | None = None,
        run: str | None = None,
        format: Literal["markdown", "html"] = "markdown",  # noqa: A002  (the option's name)
    ) -> str:
        """Return a runbook: of an environment, a plan's file, or a run."""
        given = options({"to": to, "run": run, "format": format})
        named = () if environment is None else ("--", environment_or_file(environment))
        return self.call("runbook", *given, *named).text

    def explain(self, trouble: str) -> str:
        """Return the page of a known trouble, or of an error's code."""
        return str(self.call("explain", "--", trouble).json["text"])


def _absolute(path: Path | str | None) -> str | None:
    return None if path is None else str(expanded(path).absolute())


def environment_or_file(name: str | Path) -> str:
    """Return what a command is given: a name as it is, a plan's file by its absolute path."""
    if isinstance(name, Path) or name.endswith(".json"):
        return str(expanded(name).absolute())
    return name
