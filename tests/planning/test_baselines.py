"""What comes before the first revision, and which rows a stamp leaves."""

from __future__ import annotations

import pytest

from orchestrate.domain.observation import Observation
from orchestrate.domain.spec import Baseline
from orchestrate.errors import OrchestrateError
from orchestrate.planning.baselines import baseline_steps
from tests.support.values import branches, line, observation

BOTH = Baseline(run=("./build.sh", "--all"), stamp="r2")


def test_an_empty_target_is_built_and_stamped() -> None:
    """The command comes first; the stamp knows the files whose state it claims."""
    hook, stamp = baseline_steps(BOTH, observation(), line(3))
    assert (hook.id, hook.kind, hook.command) == ("001-run", "hook", ("./build.sh", "--all"))
    assert (hook.title, hook.transactional) == ("run ./build.sh --all", False)
    assert (stamp.id, stamp.kind, stamp.to_heads) == ("002-stamp-r2", "stamp", ("r2",))
    assert [part.file_sha256 for part in stamp.parts] == ["sha-r2"]
    (alone,) = baseline_steps(Baseline(run=("x",)), observation(), line(3))
    assert alone.to_heads == ()


@pytest.mark.parametrize(
    "target", [observation("r1"), observation(tables=1), observation(has_version_table=True)]
)
def test_any_other_target_has_no_baseline(target: Observation) -> None:
    """One table, one row, even an empty version table: it is somebody's database."""
    assert baseline_steps(BOTH, target, line(3)) == ()


def test_rows_that_a_stamp_leaves() -> None:
    """As `alembic stamp` does: rows of the same line are replaced, other branches stay."""
    chain = branches()
    assert chain.stamped((), ("l2", "x1")) == ("l2", "x1")
    assert chain.stamped(("x1",), ("left@head",)) == ("m2",)
    assert chain.stamped(("l2", "x1"), ("m2",)) == ("m2",)
    assert chain.stamped(("m2",), ("b1",)) == ("b1",)
    assert chain.stamped(("x1",), ("l1",)) == ("l1", "x1")
    assert chain.stamped(("l2", "x1"), ("base",)) == ()
    with pytest.raises(OrchestrateError, match="No revision of this project is called `nope`"):
        chain.stamped((), ("nope",))
