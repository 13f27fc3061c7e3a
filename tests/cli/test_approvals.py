"""Approvals on every path: recorded and signed, expired, used, forged, and in an edited store."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrate.stores.state.chain import GENESIS, Link, link_hash
from tests.support import ssh_keys
from tests.support.databases import sqlite_database
from tests.support.projects import Project
from tests.support.terminal import Terminal
from tests.support.workspace import Result, Workspace

ALICE, BOB, CAROL = (f"{name}@example.com" for name in ("alice", "bob", "carol"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "work"
    project = Project(folder).linear(2)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    # Neither the name nor the agent of who runs the tests.
    space.environ |= {"ORCHESTRATE_USER": ALICE, "SSH_AUTH_SOCK": ""}
    return space


def declare(space: Workspace, name: str = "prod", **keys: Any) -> Workspace:
    return space.environment(name, sqlite_database(space.folder / f"{name}.db"), **keys)


def approve(workspace: Workspace, *arguments: str, user: str = ALICE) -> Result:
    return workspace.call(
        "approve", *arguments, "--yes", "--format", "json", environ={"ORCHESTRATE_USER": user}
    )


def apply(workspace: Workspace, *arguments: str) -> Result:
    """Run a command that changes the database, as a machine would."""
    return workspace.call(*(arguments or ("apply", "prod")), "--yes", "--format", "json")


def later(workspace: Workspace, approval: dict[str, Any], hours: float, *arguments: str) -> Result:
    """Run a command so many hours after an approval was given."""
    moment = datetime.fromisoformat(approval["at"]) + timedelta(hours=hours)
    child = (sys.executable, "-m", "tests.support.clock_child", moment.isoformat(), "0", "--")
    return workspace.call(*arguments, "--format", "json", program=child)


def refused(result: Result) -> str:
    """Return the code that a gate was closed with."""
    assert result.status == 4, (result.stdout, result.stderr)
    code: str = result.error()["code"]
    return code


def listed(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = workspace.ok("approvals", *arguments, "--format", "json").json()
    return found


# --- recorded -------------------------------------------------------------------------------------


def test_from_a_refusal_to_a_run(workspace: Workspace) -> None:
    """Who asks first is the author; the others agree to the plan that waits, or to that of ENV."""
    people = [ALICE, BOB, CAROL]
    declare(workspace, approval={"required": 2, "approvers": people, "exclude_author": True})
    asked = apply(workspace)
    assert refused(asked) == "approval-missing"
    assert asked.error()["message"] == (
        f"The gate `approval` is closed: 0 of 2 approvals; may approve: {BOB}, {CAROL}"
    )
    assert asked.events()[-1]["status"] == "blocked"
    (waiting,) = listed(workspace)["waiting"]
    assert f"`orchestrate approve {waiting['plan']}`" in asked.error()["hint"]
    assert refused(approve(workspace, waiting["plan"])) == "approval-by-author"
    assert refused(approve(workspace, "prod", user="eve@example.com")) == "approver-not-allowed"

    given = approve(workspace, waiting["plan"], user="Bob@Example.com").json()
    assert (given["approver"], given["digest"]) == (BOB, waiting["digest"])
    again = approve(workspace, "prod", user=BOB).json()
    assert again["id"] == given["id"], "the plan of ENV is the same plan, and he has agreed to it"
    shown = workspace.ok("status").stdout
    assert f"prod: approval is closed: 1 of 2 approvals ({BOB}); may approve: {CAROL}" in shown
    assert refused(apply(workspace)) == "approval-missing"
    assert approve(workspace, "prod", user=CAROL).status == 0

    done = apply(workspace)
    assert done.status == 0, done.stderr
    run = done.events()[-1]["run"]
    assert f"2 of 2 approvals: {BOB}, {CAROL}" in workspace.ok("show", run).stdout
    found = listed(workspace)
    assert {(one["state"], one["run"]) for one in found["approvals"]} == {("used", run)}
    assert found["waiting"] == []


def test_one_run_and_no_second(workspace: Workspace) -> None:
    """After the way back, itself approved, the world is as it was: the plan's digest is, too."""
    declare(workspace, approval={"required": 1})
    assert approve(workspace, "prod", user=BOB).status == 0
    assert apply(workspace).status == 0
    back = ("rollback", "prod", "--to", "base")
    assert refused(apply(workspace, *back)) == "approval-missing"
    (waiting,) = listed(workspace, "prod")["waiting"]
    assert approve(workspace, waiting["plan"], "--comment", "go back", user=BOB).status == 0
    assert apply(workspace, *back).status == 0
    assert refused(apply(workspace)) == "approval-used"
    assert workspace.state("prod")["heads"] == []


def test_a_saved_plan_its_author_and_its_time(workspace: Workspace) -> None:
    """A file can be edited, the journal tells who made it; approvals end, and are taken back."""
    declare(workspace, approval={"required": 1, "exclude_author": True, "expires": "1h"})
    assert workspace.call("plan", "prod", "--out", "plan.json").status == 0
    file = workspace.folder / "plan.json"
    plan = json.loads(file.read_text())
    assert plan["author"] == ALICE
    file.write_text(json.dumps({**plan, "author": "eve@example.com", "id": "plan-of-eve"}))
    assert refused(approve(workspace, "plan.json")) == "approval-by-author"
    given = approve(workspace, "plan.json", user=BOB).json()

    late = later(workspace, given, 1.5, "apply", "plan.json", "--yes")
    assert refused(late) == "approval-expired"
    assert f"that of {BOB} expired 30 min ago" in late.error()["message"]
    silent = workspace.call("approvals", "revoke", given["id"])
    assert (silent.status, "a reason, which the journal keeps" in silent.stderr) == (2, True)
    gone = workspace.ok("approvals", "revoke", given["id"], "--reason", "too early")
    assert gone.stdout == f"{given['id']} of {BOB} is revoked\n"
    taken = apply(workspace, "apply", "plan.json")
    assert refused(taken) == "approval-revoked"
    assert f"was revoked by {ALICE}: too early" in taken.error()["message"]
    text = workspace.ok("approvals", "plan.json").stdout
    assert "revoked" in text
    assert "too early" in text


def test_other_plans_and_other_environments(workspace: Workspace) -> None:
    """An approval is of one plan: not of what came after it, nor of what runs elsewhere."""
    declare(workspace, approval={"required": 1})
    declare(workspace, "staging", approval={"required": 1})
    declare(workspace, "free")
    assert approve(workspace, "staging", user=BOB).status == 0
    elsewhere = apply(workspace)
    assert refused(elsewhere) == "approval-elsewhere"
    assert f"that of {BOB} is for a plan of staging" in elsewhere.error()["message"]
    assert workspace.call("plan", "prod", "--out", "plan.json").status == 0
    assert approve(workspace, "plan.json", user=BOB).status == 0
    workspace.project.revision("r003", down="r002", doc="more", upgrade="pass", downgrade="pass")
    other = apply(workspace)
    assert refused(other) == "approval-stale"
    assert "is for another plan, sha256:" in other.error()["message"]
    declare(workspace, approval={"required": 1, "expires": "1h"})
    assert refused(approve(workspace, "plan.json", user=CAROL)) == "stale-plan"
    unasked = approve(workspace, "free")
    assert (unasked.status, "need no approval" in unasked.stderr) == (2, True)
    assert approve(workspace, "plan-of-nobody").error()["code"] == "unknown-plan"


def test_a_policy_that_wants_one(workspace: Workspace) -> None:
    """Without any `approval`: a plan with such a finding needs one, and one without needs none."""
    workspace.project.revision("r003", down="r002", doc="one way", upgrade="pass", downgrade="pass")
    declare(workspace, policy={"missing-downgrade": "approve"})
    first = workspace.ok("apply", "prod", "--to", "r002", "--yes")
    assert "approval:" not in first.stdout
    assert refused(apply(workspace)) == "approval-missing"
    assert approve(workspace, "prod", user=BOB).status == 0
    assert apply(workspace).status == 0


def test_resuming_needs_no_second_approval(workspace: Workspace) -> None:
    """The run that was begun goes on, later than `expires` as well; a new one does not begin."""
    declare(workspace, approval={"required": 1, "expires": "1h"})
    failing = "import os; assert 'FAILING' not in os.environ"
    workspace.project.revision("r003", down="r002", doc="fails", upgrade=failing, downgrade="pass")
    given = approve(workspace, "prod", user=BOB).json()
    workspace.environ["FAILING"] = "1"
    stopped = apply(workspace)
    run = stopped.events()[-1]["run"]
    assert stopped.status == 1
    assert later(workspace, given, 2, "resume", run).status == 1, "it went on, and failed again"
    revoked = workspace.call("approvals", "revoke", given["id"], "--reason", "wait", environ={})
    assert revoked.status == 0
    del workspace.environ["FAILING"]
    assert refused(workspace.call("resume", run, "--format", "json")) == "approval-revoked"
    forced = ("--override", "approval", "--reason", "half way is no place to stay")
    workspace.ok("resume", run, *forced)
    assert workspace.state("prod")["heads"] == ["r003"]


def test_the_last_moment_counts(workspace: Workspace) -> None:
    """Taken back while a person is asked: the run does not begin."""
    declare(workspace, approval={"required": 1})
    wrong = approve(workspace, "prod", "--as", "bob@example.com\nat: 2030")
    assert (wrong.status, wrong.error()["code"]) == (2, "usage")
    nobody = approve(workspace, "prod", user="bob")
    assert "`ORCHESTRATE_USER` is no e-mail address: 'bob'" in nobody.error()["message"]
    given = approve(workspace, "prod", "--comment", "\x1b[2Jfine\n", user=BOB).json()
    terminal = Terminal(workspace, "apply", "prod", NO_COLOR="1")
    terminal.child.expect("Type prod to carry it out")
    listing = workspace.ok("approvals", "prod").stdout
    assert "[2Jfine" in listing
    assert "\x1b" not in listing
    workspace.ok("approvals", "revoke", given["id"], "--reason", "wait")
    terminal.child.send("prod\r")
    status, said = terminal.ends()
    assert status == 4
    assert "error[approval-revoked]" in said
    assert workspace.state("prod")["heads"] == []


def test_stamp_restore_and_alembics_own_commands(workspace: Workspace) -> None:
    """Each path has the gate; going through it by force is kept with its reason."""
    declare(workspace, approval={"required": 1}, backup={"strategy": "sqlite"})
    for name in ("identity", "lease"):
        forced = ("--override", name, "--reason", "x")
        assert workspace.call("apply", "prod", "--yes", *forced).status == 2
    alembic = workspace.call(
        "alembic", "prod", "--yes", "--format", "json", "--", "upgrade", "r001"
    )
    assert refused(alembic) == "approval-missing"
    forced = ("--override", "approval", "--reason", "the site is down")
    workspace.ok("apply", "prod", "--yes", "--to", "r001", *forced)
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert run["overrides"] == {
        "approval": "0 of 1 approval; may approve: anybody; the site is down"
    }
    assert "the site is down" in workspace.ok("show", run["id"]).stdout
    workspace.ok("apply", "prod", "--yes", *forced)
    copy = workspace.ok("backups", "--format", "json").json()["backups"][0]["id"]
    restore = ("restore", "prod", copy, "--replace")
    assert refused(apply(workspace, *restore)) == "approval-missing"
    (waiting,) = listed(workspace, "prod")["waiting"]
    workspace.ok("approve", waiting["plan"], "--yes", "--as", BOB)
    assert apply(workspace, *restore).status == 0
    assert workspace.state("prod")["heads"] == ["r001"]
    proof = ("--override", "proof", "--reason", "I know it")
    assert refused(apply(workspace, "stamp", "prod", "r002", *proof)) == "approval-missing"
    assert workspace.state("prod")["heads"] == ["r001"]


# --- signed ---------------------------------------------------------------------------------------

SIGNED = {
    "required": 1,
    "approvers": [ALICE, BOB],
    "signed": True,
    "allowed_signers": "allowed_signers",
    "exclude_author": True,
}


@pytest.fixture
def keys(workspace: Workspace, tmp_path: Path) -> dict[str, Path]:
    made = {name: ssh_keys.new_key(tmp_path / name) for name in ("alice", "bob", "eve")}
    allowed = {name: key for name, key in made.items() if name != "eve"}
    ssh_keys.allow(workspace.folder / "allowed_signers", **allowed)
    declare(workspace, approval=SIGNED)
    return made


def test_signing_with_a_key_and_with_the_agent(
    workspace: Workspace, keys: dict[str, Path], tmp_path: Path
) -> None:
    """What is kept `ssh-keygen -Y verify` agrees to; other keys, and no key, do not."""
    none = approve(workspace, "prod")
    assert (none.status, none.error()["code"]) == (2, "signing-key-unavailable")
    strange = approve(workspace, "prod", "--key", str(keys["eve"]))
    assert refused(strange) == "signer-not-allowed"
    assert 'namespaces="plan@orchestrate" ssh-ed25519' in strange.error()["hint"]
    borrowed = approve(workspace, "prod", "--key", str(keys["bob"]), "--as", ALICE)
    assert refused(borrowed) == "signer-not-allowed"

    given = approve(workspace, "prod", "--key", str(keys["bob"]), "--comment", "two\nlines").json()
    assert (given["approver"], given["signed"]) == (BOB, True)
    signature = tmp_path / "kept.sig"
    signature.write_text(given["signature"])
    signers = workspace.folder / "allowed_signers"
    assert ssh_keys.verifies(signers, BOB, signature, given["text"])
    assert f"plan: {given['digest']}\n" in given["text"]

    workspace.ok("approvals", "revoke", given["id"], "--reason", "by the agent, please")
    with ssh_keys.agent(tmp_path, keys["eve"], keys["bob"]) as environ:
        workspace.environ |= environ
        held = approve(workspace, "prod").json()
        assert (held["approver"], held["gate"][0]["state"]) == (BOB, "open")
        named = approve(workspace, "prod", "--key", f"{keys['alice']}.pub")
        assert named.error()["code"] == "signing-key-unavailable"
    assert apply(workspace).status == 0


def test_a_person_is_asked(workspace: Workspace, keys: dict[str, Path], tmp_path: Path) -> None:
    """For the passphrase, unseen, and for the environment's name under the plan that is signed."""
    key = ssh_keys.new_key(tmp_path / "locked", passphrase="correct horse")
    ssh_keys.allow(workspace.folder / "allowed_signers", bob=key)
    silent = workspace.call("approve", "prod", "--key", str(key), "--yes", "--format", "json")
    assert (silent.status, silent.error()["code"]) == (2, "no-input")
    said = ""
    for name, wanted in (("staging", 4), ("prod", 0)):
        terminal = Terminal(workspace, "approve", "prod", "--key", str(key), NO_COLOR="1")
        terminal.child.expect("closed  approval: 0 of 1 approval; may approve: bob@example.com")
        terminal.child.expect("Passphrase of .*locked: ")
        terminal.child.send("correct horse\r")
        terminal.child.expect("Type prod to approve this plan as bob@example.com: ")
        assert "correct" not in (terminal.child.before or "")
        terminal.child.send(f"{name}\r")
        status, said = terminal.ends()
        assert status == wanted, said
    assert "approval is open: 1 of 1 approval: bob@example.com" in said


def test_signing_elsewhere_and_the_same_again(
    workspace: Workspace, keys: dict[str, Path], tmp_path: Path
) -> None:
    """The text goes out and comes back with its signature, once; changed, or another's, never."""
    assert workspace.call("plan", "prod", "--out", "plan.json").status == 0
    out = approve(workspace, "plan.json", "--text", str(tmp_path / "text"), user=BOB)
    assert "ssh-keygen -Y sign -n plan@orchestrate" in out.stderr
    text = (tmp_path / "text").read_text()
    signature = ssh_keys.sign(keys["bob"], tmp_path / "text")
    take = ("plan.json", "--signature", str(signature))

    (tmp_path / "text").write_text(text.replace(BOB, ALICE))
    assert refused(approve(workspace, *take)) == "signature-invalid"
    (tmp_path / "text").write_text(text.replace("prod", "staging"))
    assert refused(approve(workspace, *take)) == "approval-elsewhere"
    (tmp_path / "text").write_text(text.replace("plan: sha256:", "plan: sha256:0"))
    assert refused(approve(workspace, *take)) == "approval-stale"
    (tmp_path / "text").write_text(text)
    given = approve(workspace, *take).json()
    assert (given["approver"], given["text"]) == (BOB, text)
    assert refused(approve(workspace, *take)) == "approval-used", "nothing is recorded twice"
    assert len(listed(workspace)["approvals"]) == 1

    # The key is taken away from him: what he signed counts no longer.
    ssh_keys.allow(workspace.folder / "allowed_signers", alice=keys["alice"], bob=keys["eve"])
    assert refused(apply(workspace, "apply", "plan.json")) == "signer-not-allowed"
    (workspace.folder / "allowed_signers").write_text("bob@example.com what?\n")
    broken = apply(workspace, "apply", "plan.json")
    assert refused(broken) == "signers-unreadable"
    assert "line 1: there is no key" in broken.error()["message"]
    assert "ALLOWED SIGNERS" in broken.error()["hint"]
    ssh_keys.allow(workspace.folder / "allowed_signers", bob=keys["bob"])
    assert apply(workspace, "apply", "plan.json").status == 0
    assert refused(approve(workspace, *take)) == "plan-already-used"


# --- an edited state store ------------------------------------------------------------------------


def edit(workspace: Workspace, change: Callable[[dict[str, Any]], None], *, rehash: bool) -> None:
    """Change the last approval in the state store; with `rehash` so that the chain holds."""
    with sqlite3.connect(workspace.folder / ".orchestrate" / "state.db") as store:
        fields = ", ".join(Link._fields)
        rows = store.execute(f"SELECT {fields} FROM orchestrate_events ORDER BY sequence")
        links = [Link(*row) for row in rows]
        number = max(i for i, link in enumerate(links) if link.kind == "approval.given")
        data = json.loads(links[number].data)
        change(data)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        links[number] = links[number]._replace(data=text)
        previous = GENESIS
        for link in links:
            one = link
            if rehash:
                one = link._replace(previous_hash=previous)
                one = one._replace(hash=link_hash(one))
            previous = one.hash
            store.execute(
                "UPDATE orchestrate_events SET data = ?, previous_hash = ?, hash = ? "
                "WHERE sequence = ?",
                (one.data, one.previous_hash, one.hash, one.sequence),
            )
        store.execute("UPDATE orchestrate_head SET hash = ?", (previous,))


def test_an_edited_store_approves_nothing(workspace: Workspace) -> None:
    """The chain tells: nothing in it counts, and the gate says where to look."""
    declare(workspace, approval={"required": 1, "approvers": [ALICE, BOB], "expires": "1h"})
    assert approve(workspace, "prod", user=BOB).status == 0
    edit(workspace, lambda data: data.update(approver=ALICE), rehash=False)
    stopped = apply(workspace)
    assert refused(stopped) == "approvals-tampered"
    assert "its content is not what its hash was made from" in stopped.error()["message"]
    assert "history --verify" in stopped.error()["hint"]
    assert refused(workspace.call("approvals", "--format", "json")) == "approvals-tampered"
    edit(workspace, lambda data: data.update(at="soon"), rehash=True)
    assert refused(apply(workspace)) == "approvals-tampered"
    assert workspace.state("prod")["heads"] == []


def test_who_can_rewrite_the_whole_store_cannot_sign(
    workspace: Workspace, keys: dict[str, Path]
) -> None:
    """The chain made anew holds; the signature is over what was signed and nothing else."""
    assert approve(workspace, "prod", "--key", str(keys["bob"])).status == 0
    edit(workspace, lambda data: data.update(comment="and everything else"), rehash=True)
    workspace.ok("history", "--verify")
    forged = apply(workspace)
    assert refused(forged) == "signature-invalid"
    edit(workspace, lambda data: data.update(comment=None, signature=None), rehash=True)
    assert refused(apply(workspace)) == "signature-missing"
