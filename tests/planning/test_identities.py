"""Which database is whose."""

from __future__ import annotations

from orchestrate.domain.leases import RecordedIdentity
from orchestrate.planning.identities import identify
from tests.support.values import NOON, observation


def recorded(environment: str, identity: str) -> RecordedIdentity:
    return RecordedIdentity(
        environment=environment,
        target=environment,
        identity=identity,
        version_table="alembic_version",
        recorded_at=NOON,
    )


def test_first_use_and_known() -> None:
    """The first look records, the second knows."""
    seen = observation(environment="dev", identity="A")
    assert identify(seen, []).kind == "first-use"
    assert identify(seen, [recorded("dev", "A")]).kind == "known"


def test_changed_names_the_owner() -> None:
    """Swapped environments are told as such."""
    verdict = identify(
        observation(environment="dev", identity="B"), [recorded("dev", "A"), recorded("prod", "B")]
    )
    assert verdict.kind == "changed"
    assert verdict.detail == "recorded A, found B, which is the one recorded for prod"


def test_one_database_under_two_names() -> None:
    """Refused when recorded under another name, and when two are seen at the same moment."""
    seen = observation(environment="dev", identity="A")
    assert identify(seen, [recorded("prod", "A")]).kind == "same-database"
    twin = observation(environment="prod", identity="A")
    assert identify(seen, [], [seen, twin]).kind == "same-database"


def test_two_projects_may_share_a_database() -> None:
    """Another version table is another target."""
    seen = observation(environment="crm", identity="A", version_table="alembic_version_crm")
    assert identify(seen, [recorded("billing", "A")]).kind == "first-use"


def test_what_is_seen_outweighs_what_was_recorded() -> None:
    """The other environment has moved away by now, and is seen elsewhere."""
    seen = observation(environment="dev", identity="A")
    moved = observation(environment="prod", identity="C")
    assert identify(seen, [recorded("prod", "A")], [seen, moved]).kind == "first-use"
