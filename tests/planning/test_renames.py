"""Renamings are proposed where something gone and something new are alike."""

from __future__ import annotations

from orchestrate.dialects.difference import compare
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import SchemaObject, Snapshot
from orchestrate.planning.drift import schema_differences
from orchestrate.planning.renames import with_renames

ORDERS = {
    "table orders": "",
    "column orders.id": "integer NOT NULL",
    "column orders.total": "numeric(10,2)",
    "column order orders": "id, total",
    "index orders.ix_total": "btree (total)",
    "view paid": "AS SELECT id, total FROM orders WHERE (total > 0);",
    "constraint lines.fk_order": "FOREIGN KEY (order_id) REFERENCES orders(id)",
    "table lines": "",
    "column lines.order_id": "integer",
    "column order lines": "order_id",
}


def snapshot(objects: dict[str, str]) -> Snapshot:
    found = []
    for key, definition in objects.items():
        kind, _, name = key.rpartition(" ")
        found.append(SchemaObject(kind=kind, name=name, definition=definition))
    ordered = sorted(found, key=lambda one: (one.kind, one.name))
    return Snapshot(dialect="postgresql", objects=tuple(ordered))


def told(after: dict[str, str]) -> list[str]:
    """Return what differs, with the proposals."""
    expected, actual = snapshot(ORDERS), snapshot(after)
    found = with_renames(schema_differences(compare(expected, actual)), expected, actual)
    return [_told(one) for one in found]


def _told(one: DriftDifference) -> str:
    hint = f" -> {one.renamed_to}" if one.renamed_to else ""
    hint += f" <- {one.rename_of}" if one.rename_of else ""
    return f"{one.change} {one.object} {one.name}{hint}{[*one.also] or ''}"


def renamed(old: str, new: str) -> dict[str, str]:
    """Return the schema in which a word is another one everywhere."""
    return {key.replace(old, new): text.replace(old, new) for key, text in ORDERS.items()}


def test_column() -> None:
    """A column is renamed; what only says its new name is listed with it."""
    after = renamed("orders.total", "orders.amount")
    after["column order orders"] = "id, amount"
    after["index orders.ix_total"] = "btree (amount)"
    after["view paid"] = "AS SELECT id, amount AS total FROM orders WHERE (amount > 0);"
    assert told(after) == [
        "added column orders.amount <- orders.total",
        "removed column orders.total -> orders.amount['index orders.ix_total', 'view paid']",
    ]
    # Whatever else changed stays a difference.
    after["index orders.ix_total"] = "btree (amount) WHERE (amount > 0)"
    assert "altered index orders.ix_total" in told(after)


def test_table() -> None:
    """A table with the very same columns is renamed, keys that lead to it follow."""
    assert told(renamed("orders", "purchases")) == [
        "removed table orders -> purchases['constraint lines.fk_order', 'view paid']",
        "added table purchases <- orders",
    ]


def test_no_proposal() -> None:
    """Another definition, or several that are alike, are no renaming."""
    after = renamed("orders.total", "orders.amount")
    after["column orders.amount"] = "integer"
    assert not any("<-" in one for one in told(after))
    after["column orders.amount"] = after["column orders.sum"] = "numeric(10,2)"
    assert not any("<-" in one for one in told(after))
