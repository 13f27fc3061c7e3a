"""How snapshots are compared and told, from literals."""

from dataclasses import replace

import pytest

from orchestrate.dialects.difference import compare, describe_all, not_comparable
from orchestrate.domain.snapshot import GRANTS, SchemaObject, Snapshot, is_own


def snapshot(*objects: tuple[str, str, str]) -> Snapshot:
    """Return a snapshot of (kind, name, definition)."""
    return Snapshot(
        dialect="sqlite",
        objects=tuple(
            SchemaObject(kind=kind, name=name, definition=definition)
            for kind, name, definition in sorted(objects)
        ),
    )


ORDERS = (
    ("table", "orders", ""),
    ("column", "orders.id", "integer"),
    ("column", "orders.total", "numeric(10,2)"),
    ("column order", "orders", "id, total"),
)


def test_equal_snapshots_have_no_difference() -> None:
    """The same objects are no difference, however many there are."""
    assert compare(snapshot(*ORDERS), snapshot(*ORDERS)) == ()


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        pytest.param(
            ORDERS[:2],
            ORDERS[:3],
            ("column orders.total added: numeric(10,2)",),
            id="column",
        ),
        pytest.param((), ORDERS, ("table orders added",), id="a table is one difference"),
        pytest.param(
            (("sequence", "s", "START 1"),),
            (),
            ("sequence s removed: it was START 1",),
            id="removed",
        ),
        pytest.param(
            (("sequence", "s", "START 1"),),
            (("sequence", "s", "START 2"),),
            ("sequence s altered: from START 1 to START 2",),
            id="altered",
        ),
        pytest.param(
            (("table", "s", ""),),
            (("table", "s", "UNLOGGED"),),
            ("table s altered: from nothing to UNLOGGED",),
            id="altered from nothing",
        ),
        pytest.param(
            ORDERS,
            (*ORDERS[:3], ("column order", "orders", "total, id")),
            ("column order orders altered: from id, total to total, id",),
            id="columns changed places",
        ),
        pytest.param(
            ORDERS,
            (
                *ORDERS[:3],
                ("column", "orders.a", "x"),
                ("column order", "orders", "a, id, total"),
            ),
            ("column orders.a added: x",),
            id="a column before others moves none",
        ),
        pytest.param(
            (
                ("table", "shop", ""),
                ("table", "shop.orders", ""),
                ("column", "shop.orders.id", "x"),
            ),
            (("table", "shop.orders", ""), ("column", "shop.orders.id", "y")),
            ("column shop.orders.id altered: from x to y", "table shop removed"),
            id="a table named like another's schema",
        ),
    ],
)
def test_differences_are_told(
    before: tuple[tuple[str, str, str], ...],
    after: tuple[tuple[str, str, str], ...],
    sentences: tuple[str, ...],
) -> None:
    """Each difference is one sentence, in the order of kind and name."""
    assert describe_all(compare(snapshot(*before), snapshot(*after))) == sentences


def test_what_is_told_otherwise_is_no_difference() -> None:
    """Kinds of a later description, kinds hidden from one credential, the store's own tables."""
    grants = ("grant", "orders to reader", "SELECT")
    views = ("view", "paid", "AS SELECT 1")
    older = replace(snapshot(*ORDERS, views), dialect="postgresql")
    newer = replace(snapshot(*ORDERS, grants), dialect="postgresql", version=2)
    assert compare(older, newer) == compare(older, replace(newer, objects=older.objects[:-1]))
    assert not_comparable(older, newer) == ("default grant", "grant")
    blind = replace(newer, hidden=("view",))
    assert compare(older, blind) == ()
    assert not_comparable(older, blind) == ("default grant", "grant", "view")
    # Between two of the same version a grant counts, unless it is left out.
    same = replace(newer, objects=newer.objects[:-1])
    assert compare(replace(older, version=2), blind) != ()
    assert compare(replace(same, objects=snapshot(*ORDERS).objects), newer, without=GRANTS) == ()
    own = SchemaObject(kind="column", name="ops.orchestrate_events.kind", definition="text")
    assert is_own(own)
    assert not is_own(replace(own, name="orders.orchestrate_events"))
