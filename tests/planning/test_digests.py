"""What approvals are bound to: the same for ever, whatever later versions add."""

from __future__ import annotations

import json
from dataclasses import replace

from orchestrate.domain.actions import Action
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.plan import Arguments, Plan, SchemaCheck, Step
from orchestrate.planning.digests import plan_digest
from orchestrate.reports.plans import plan_file_text
from orchestrate.stores.plan_files import plan_from_text
from orchestrate.values import dataclass
from tests.planning.test_plan_maker import planned
from tests.support.values import line, observation

GOLDEN = "sha256:ccf5759670de862205b90e233cc8d85d33b6e986d74b6d96300dbba149ff2f8d"

PLAN = planned(observation("r1"), line(3))
BACKUP = BackupOrder(strategy="pg_dump", destination="backups/", keep=3, prefix=("docker", "exec"))
ACTION = Action(moment="after", seconds=60.0, command=("./smoke.sh",))


def step(kind: str, **more: object) -> Step:
    return replace(PLAN.steps[0], id=f"009-{kind}", kind=kind, **more)  # type: ignore[arg-type]


def digest(*steps: Step) -> str:
    return plan_digest(
        environment="prod",
        direction="upgrade",
        mode="session",
        spec_digest="spec",
        basis=PLAN.basis,
        steps=steps,
        arguments=Arguments(x=("tenant=a",), tag=None),
        on_failure=(ACTION,),
    )


def test_every_kind_of_step_keeps_its_digest() -> None:
    """Plans that were approved with an older version are still approved: never change this."""
    everything = (
        step("backup", backup=BACKUP),
        step("restore", backup=BACKUP, copy="before-migrate-1"),
        step("hook", action=ACTION),
        step("hook", command=("python", "build.py")),
        step("verify", check=SchemaCheck(snapshot="abc", source="for people")),
        *PLAN.steps,
    )
    assert digest(*everything) == GOLDEN
    assert len({digest(*everything[:number]) for number in range(len(everything))}) == 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterOrder(BackupOrder):
    """A backup as a later version may know it."""

    compression: int = 0


def test_what_a_later_version_adds_voids_no_approval() -> None:
    """A new key that nobody used leaves the digest alone, and one that is used is in it."""
    fields = {name: getattr(BACKUP, name) for name in BackupOrder.__dataclass_fields__}
    same, other = LaterOrder(**fields), LaterOrder(**fields, compression=9)
    assert digest(step("backup", backup=same)) == digest(step("backup", backup=BACKUP))
    assert digest(step("backup", backup=other)) != digest(step("backup", backup=BACKUP))


def test_a_plan_file_of_an_older_version_is_the_same_plan() -> None:
    """It lacks what was added since; what it has, and its digest, are what they were."""
    old = json.loads(plan_file_text(PLAN))
    added = {"author", "arguments", "on_failure"}
    old = {key: value for key, value in old.items() if key not in added}
    for one in old["steps"]:
        for key in ("action", "backup", "copy", "check", "command", "parts"):
            one.pop(key, None)
    old["gates"] = [{"kind": "window", "state": "open", "detail": "always open"}]
    read: Plan = plan_from_text(json.dumps(old), where="an old file")
    assert (read.digest, read.steps, read.author) == (PLAN.digest, PLAN.steps, None)
