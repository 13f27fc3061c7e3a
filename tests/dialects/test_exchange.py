"""When contents are exchanged, and by which texts; the server has its say in `tests/crash`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrate.dialects.exchange import Schemas
from orchestrate.dialects.mysql_exchange import MariaDBExchange
from orchestrate.domain.snapshot import SchemaObject, Snapshot

EXCHANGE = MariaDBExchange()
SCHEMAS = Schemas(scratch="orchestrate_scratch_a", parked="orchestrate_scratch_b", token="a")
ALL = "GRANT ALL PRIVILEGES ON *.* TO `app`@`%`"
SAVED = Snapshot(
    dialect="mysql",
    objects=(SchemaObject(kind="table", name="t", definition="ENGINE InnoDB COLLATE utf8mb4_bin"),),
)


def facts(**rows: Any) -> dict[str, Any]:
    return {
        "server": [["10.11.19-MariaDB-log", "app@%", "shop"]],
        "grants": [[ALL]],
        "engines": [["InnoDB"]],
        "referring": [],
        **rows,
    }


def with_object(kind: str, definition: str) -> Snapshot:
    more = SchemaObject(kind=kind, name="it", definition=definition)
    return replace(SAVED, objects=(*SAVED.objects, more))


def grants(*schemas: str) -> list[list[str]]:
    return [[f"GRANT ALL PRIVILEGES ON `{one}`.* TO `app`@`%`"] for one in schemas]


@pytest.mark.parametrize(
    ("rows", "saved", "reason"),
    [
        ({}, SAVED, None),
        ({"server": [["5.5.5-10.6.1-MariaDB", "app@%", "shop"]]}, SAVED, None),
        ({"server": [["10.6.0-MariaDB", "app@%", "shop"]]}, SAVED, "from MariaDB 10.6.1 on"),
        ({"server": [["8.4.3", "app@%", "shop"]]}, SAVED, "from MariaDB 10.6.1 on"),
        ({"grants": grants("shop", r"orchestrate\_scratch\_%")}, SAVED, None),
        ({"grants": grants("shop")}, SAVED, "in a scratch schema"),
        ({"grants": grants(r"orchestrate\_scratch\_%")}, SAVED, "in `shop`"),
        ({"engines": [["InnoDB"], ["Aria"], ["MyISAM"]]}, SAVED, None),
        ({"engines": [["InnoDB"], ["Spider"]]}, SAVED, "of the engine Spider"),
        ({"referring": [["crm", "orders"]]}, SAVED, "`crm`.`orders` refers to"),
        ({}, None, "not recorded"),
        ({}, with_object("table", "ENGINE ROCKSDB COLLATE x"), "the copy has tables"),
        ({}, with_object("event", "RECURRING ENABLED ON COMPLETION PRESERVE DO x"), None),
        ({}, with_object("event", "RECURRING SLAVESIDE_DISABLED ON COMPLETION"), "on replicas"),
        ({}, with_object("function", "x"), None),
        (
            {"grants": grants("shop", r"orchestrate\_scratch\_%")},
            with_object("procedure", "x"),
            "bodies of routines",
        ),
    ],
)
def test_the_reasons_against_it(rows: Any, saved: Snapshot | None, reason: str | None) -> None:
    found = EXCHANGE.obstacle(facts(**rows), saved)
    assert found is None if reason is None else reason in (found or "")


def test_a_sign_counts_for_its_own_run_alone() -> None:
    begun, done = ["orchestrate_restoring", "run-1 a"], ["orchestrate_restored", "run-1 a"]
    assert EXCHANGE.standing([], "run-1") == "old"
    assert EXCHANGE.standing([begun], "run-1") == "tables"
    assert EXCHANGE.standing([done], "run-1") == "whole"
    assert EXCHANGE.standing([begun, done], "run-1") == "tables"
    assert EXCHANGE.standing([begun, done, [None, None]], "run-2") == "old"
    assert EXCHANGE.standing([begun, [None, 17]], "run-1") == "changing"


def contents(**rows: Any) -> dict[str, Any]:
    names = ("tables", "views", "triggers", "keys", "routines", "events")
    schema = {"schema": [["shop", "utf8mb4_bin"]]}
    return {**schema, **{name: [] for name in names}, **rows}


def test_the_old_go_before_the_new_come() -> None:
    """What has triggers stays under another name, and so does a view in the way of a table."""
    rows = contents(
        tables=[
            ["shop", "calm"],
            ["shop", "quick"],
            ["orchestrate_scratch_a", "quick"],
            ["orchestrate_scratch_a", "seen`"],
        ],
        views=[["shop", "seen`"], ["shop", "other"]],
        triggers=[["shop", "touch", "quick"], ["orchestrate_scratch_a", "touch", "quick"]],
    )
    assert EXCHANGE.shapes(rows, SCHEMAS) == {}
    swap = EXCHANGE.swap(rows, {}, SCHEMAS, run="run-1")
    *readied, rename = swap.rename.decode().splitlines()
    assert (
        readied[readied.index("SET FOREIGN_KEY_CHECKS = 0;") + 1]
        == "DROP TRIGGER `orchestrate_scratch_a`.`touch`;"
    )
    assert readied[-1].endswith("COLLATE utf8mb4_bin COMMENT 'run-1 a';")
    assert rename == (
        "RENAME TABLE `shop`.`seen``` TO `shop`.`orchestrate_replaced_a_1`, "
        "`shop`.`calm` TO `orchestrate_scratch_b`.`calm`, "
        "`shop`.`quick` TO `shop`.`orchestrate_replaced_a_0`, "
        "`orchestrate_scratch_a`.`quick` TO `shop`.`quick`, "
        "`orchestrate_scratch_a`.`seen``` TO `shop`.`seen```, "
        "`orchestrate_scratch_a`.`orchestrate_restoring` TO `shop`.`orchestrate_restoring`;"
    )
    told = swap.before_programs.decode()
    assert "TABLE_COMMENT = 'run-1 a'" in told
    assert told.partition("SET FOREIGN_KEY_CHECKS = 0;\n")[2].splitlines() == [
        "DROP TABLE IF EXISTS `orchestrate_replaced_a_0`;",
        "DROP VIEW IF EXISTS `orchestrate_replaced_a_1`;",
        "DROP VIEW IF EXISTS `other`;",
    ]


def test_a_foreign_key_has_another_name_while_the_old_table_stays() -> None:
    rows = contents(
        tables=[["shop", "a"], ["orchestrate_scratch_a", "a"], ["orchestrate_scratch_a", "b"]],
        triggers=[["shop", "touch", "a"]],
        keys=[
            ["shop", "fk", "a"],
            ["shop", "a_ibfk_1", "a"],
            ["orchestrate_scratch_a", "FK", "b"],
            ["orchestrate_scratch_a", "a_ibfk_1", "a"],
        ],
    )
    assert EXCHANGE.shapes(rows, SCHEMAS) == {"b": "SHOW CREATE TABLE `orchestrate_scratch_a`.`b`"}
    shape = (
        "CREATE TABLE `b` (\n  `x` int,\n  KEY `FK` (`x`),\n"
        "  CONSTRAINT `FK` FOREIGN KEY (`x`) REFERENCES `a` (`id`) ON DELETE CASCADE,\n"
        "  CONSTRAINT `positive` CHECK (`x` > 0)\n) ENGINE=InnoDB"
    )
    swap = EXCHANGE.swap(rows, {"b": [["b", shape]]}, SCHEMAS, run="run-1")
    key = "FOREIGN KEY (`x`) REFERENCES `a` (`id`) ON DELETE CASCADE;"
    other = "`orchestrate_replaced_a_key_0`"
    assert (
        f"ALTER TABLE `orchestrate_scratch_a`.`b` DROP FOREIGN KEY `FK`, ADD CONSTRAINT {other} {key}"
        in swap.rename.decode()
    )
    assert (
        f"ALTER TABLE `b` DROP FOREIGN KEY {other}, ADD CONSTRAINT `FK` {key}"
        in swap.before_programs.decode()
    )
