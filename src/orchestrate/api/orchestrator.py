"""`Orchestrator`: the commands as methods. This half is what changes something."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestrate.api.calling import options
from orchestrate.api.looking import Looks, environment_or_file
from orchestrate.api.results import RunResult, run_result
from orchestrate.domain.plan import Plan
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.backups import Backup
    from orchestrate.domain.leases import RecordedIdentity
    from orchestrate.planning.run_state import RunState

Choice = Literal["retry", "mark-applied", "restore"]


class Orchestrator(Looks):
    """A spec and everything that can be done with it; one object serves many calls and threads.

    Args:
        spec: `migrations.yaml` or its folder; None: the nearest one from the current folder up.
        on_event: is called with each event of a run as it happens, in the thread that runs it.
        on_message: is called with what the command line would say to a person beside its data.
        handle_signals: Ctrl-C and SIGTERM stop a run at its next safe point, as on the command
            line. Only in the main thread, and only while a run is at work; else no handler is ever
            installed, and `stop` does the same.

    Methods that change something ask for `yes=True`, as the commands ask for `--yes`: nobody is
    ever prompted. They raise `OrchestrateError` for all that kept a run from beginning, and
    `RunFailedError`, which has the result, for a run that did not succeed.
    """

    def stop(self) -> None:
        """Ask the runs of this object that are at work to stop before their next step.

        From another thread or a signal handler of yours. The second time ends the running step.
        The run can be resumed.
        """
        self._caller.stop()

    def apply(
        self,
        environment: str | Path | Plan,
        *,
        yes: bool = False,
        to: str | None = None,
        wait: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> RunResult:
        """Plan an upgrade and carry it out, or carry out exactly a plan or the plan of a file.

        `wait` waits for the window; `override` names gates to go through, with a `reason` that the
        journal keeps.
        """
        given = {"yes": yes, "to": to, "wait": wait, "override": override, "reason": reason}
        if isinstance(environment, Plan):
            with tempfile.TemporaryDirectory() as folder:
                file = _saved(environment, Path(folder))
                return run_result(self.call("apply", *options(given), "--", file))
        name = environment_or_file(environment)
        return run_result(self.call("apply", *options(given), "--", name))

    def approve(
        self,
        plan: str | Path,
        *,
        approver: str | None = None,
        comment: str | None = None,
        key: Path | str | None = None,
        to: str | None = None,
        yes: bool = False,
    ) -> dict[str, Any]:
        """Agree to a plan that waits, of a file or of an environment, signed with `key` if given.

        Returns the approval with the gate `approval` as it stands then, as docs/json.md has it.
        """
        given = {"as": approver, "comment": comment, "key": key, "to": to, "yes": yes}
        value: dict[str, Any] = self.call(
            "approve", *options(given), "--", environment_or_file(plan)
        ).json
        return value

    def resume(
        self,
        run: str | None = None,
        *,
        environment: str | None = None,
        choice: Choice | None = None,
        yes: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> RunResult:
        """Go on with the unfinished run, or with this one; `run` of the result is None if none is.

        `choice` is what a person decided of a step in doubt; `restore` needs `yes`.
        """
        given = {"env": environment, "yes": yes, "override": override, "reason": reason}
        words = [*options(given), *([f"--{choice}"] if choice else [])]
        return run_result(self.call("resume", *words, *(("--", run) if run else ())))

    def abort(self, run: str) -> RunState:
        """End an unfinished run as it is; return it. The database is not touched."""
        self.call("abort", "--", run)
        return self.show(run)

    def rollback(
        self,
        environment: str,
        *,
        to: str | None = None,
        run: str | None = None,
        backup: str | None = None,
        yes: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> RunResult:
        """Take an environment back: to a revision, to before a run, or to a copy."""
        given = {
            "to": to,
            "run": run,
            "backup": backup,
            "yes": yes,
            "override": override,
            "reason": reason,
        }
        return run_result(self.call("rollback", *options(given), "--", environment))

    def restore(
        self,
        environment: str,
        backup: str,
        *,
        replace: bool = False,
        yes: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> RunResult:
        """Put a copy into an environment's database; `replace` what is in it, copied first."""
        given = {"replace": replace, "yes": yes, "override": override, "reason": reason}
        return run_result(self.call("restore", *options(given), "--", environment, backup))

    def stamp(
        self,
        environment: str,
        *revisions: str,
        purge: bool = False,
        yes: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> RunResult:
        """Record that an environment is at these revisions, once its schema is shown to be."""
        given = {"purge": purge, "yes": yes, "override": override, "reason": reason}
        return run_result(self.call("stamp", *options(given), "--", environment, *revisions))

    def backup(self, environment: str) -> Backup:
        """Copy an environment's database now, prove the copy, and return it."""
        made = self.call("backup", "--", environment).json["id"]
        return self.backups(made)[0]

    def verify_backups(self, *named: str, restore: bool = False) -> tuple[Backup, ...]:
        """Prove copies once more and return them; `broken` says why the proof of one failed."""
        answer = self.call("backups", *options({"restore": restore}), "--", "verify", *named)
        by_id = {one.id: one for one in self.backups(removed_too=True)}
        return tuple(by_id[one["id"]] for one in answer.json["backups"])

    def prune_backups(
        self, *environments: str, keep: int | None = None, yes: bool = False
    ) -> tuple[str, ...]:
        """Remove what retention does not keep, never the last good copy; return their names."""
        words = options({"keep": keep, "yes": yes})
        return tuple(self.call("backups", *words, "--", "prune", *environments).json["removed"])

    def trust(self, environment: str, *, yes: bool = False) -> RecordedIdentity:
        """Accept the database that an environment leads to now as its own; return what is known."""
        self.call("trust", *options({"yes": yes}), "--", environment)

        def recorded(bench: Workbench) -> RecordedIdentity:
            name = bench.environment(environment).name
            found = [one for one in bench.state.identities() if one.environment == name]
            if not found:
                raise OrchestrateError("identity-changed", f"{name} is not recorded")
            return found[-1]

        return self._caller.look(recorded)

    def unlock(self, environment: str, lease: str) -> None:
        """Break a lease whose holder is gone. Raises `unknown-lease`."""
        self.call("unlock", "--", environment, lease)

    def alembic(
        self,
        environment: str,
        *arguments: str,
        yes: bool = False,
        override: Sequence[str] = (),
        reason: str | None = None,
    ) -> str:
        """Run a command of Alembic's against an environment; return what it printed.

        What changes the database is planned, journalled and resumable. Raises `RunFailedError`.
        """
        given = {"yes": yes, "override": override, "reason": reason}
        answer = self.call("alembic", *options(given), "--", environment, *arguments)
        if answer.events:
            run_result(answer)
        return answer.text


def _saved(plan: Plan, folder: Path) -> str:
    from orchestrate.reports.plans import plan_file_text  # noqa: PLC0415  (heavy)
    from orchestrate.stores.written_files import write_file  # noqa: PLC0415

    file = folder / f"{plan.id}.json"
    write_file(file, plan_file_text(plan))
    return str(file)
