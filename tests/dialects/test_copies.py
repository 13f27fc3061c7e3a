"""A copy that is put back is the database again: every kind of object, every type of value."""

from pathlib import Path

import pytest

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.copying import dump, load, read_through
from orchestrate.adapters.destinations import Destination, open_destination
from orchestrate.dialects.copies import Program
from orchestrate.domain.backups import DumpFormat
from orchestrate.errors import OrchestrateError
from tests.support.copies import (
    content,
    copies_of,
    differing,
    fill,
    going_in,
    make_alike,
    snapshot_of,
    tables_of,
    url_of,
    way_of,
)
from tests.support.databases import Database, NewDatabase, sqlite_database

FORMS = [
    ("sqlite", "custom"),
    ("postgresql", "custom"),
    ("postgresql", "plain"),
    ("postgresql", "directory"),
    ("mariadb", "custom"),
]


@pytest.mark.parametrize(("database", "form"), FORMS, indirect=["database"])
@pytest.mark.parametrize("place", ["backups", "memory://backups"])
def test_there_and_back(
    database: Database, form: DumpFormat, place: str, new_database: NewDatabase, tmp_path: Path
) -> None:
    """A copy is made, read to its end, and put into another database that is equal then."""
    fill(database)
    expected = content(database)
    copies, way, going = copies_of(database), way_of(database, form), going_in(tmp_path, database)
    with open_destination(place, root=tmp_path) as destination:
        destination.check()
        made = dump(copies.dump(url_of(database), way), destination, "copy", going)
        assert destination.size("copy") == made.bytes > 1000
        trailer = copies.trailer(way)
        assert read_through(destination, "copy", trailer=trailer, going=going) == made
        listing = copies.listing(way)
        if listing is not None:
            load(listing, destination, "copy", going, code="backup-broken")
        other = new_database(database.kind)
        make_alike(other)
        url = url_of(database).with_database(other.name)
        load(copies.load(url, way, owners="kept"), destination, "copy", going, code="backup-broken")
        destination.remove("copy")
        assert destination.size("copy") is None
    assert differing(content(other), expected) == []
    assert differing(content(database), expected) == []
    counted = copies.counts(tables_of(database))
    assert sorted(map(repr, other.rows(counted))) == sorted(map(repr, database.rows(counted)))


def test_proven(new_database: NewDatabase, tmp_path: Path) -> None:
    """MariaDB: events do not wake up in a scratch schema, and the comparison knows that."""
    database, other = new_database("mariadb"), new_database("mariadb")
    fill(database)
    make_alike(other)
    copies, way, going = copies_of(database), way_of(database), going_in(tmp_path, database)
    with open_destination("backups", root=tmp_path) as destination:
        dump(copies.dump(url_of(database), way), destination, "copy", going)
        url = url_of(database).with_database(other.name)
        load(copies.load(url, way, owners="ours"), destination, "copy", going, code="backup-broken")
    assert {status for (status,) in other.rows(_EVENTS)} == {"DISABLED"}
    assert {status for (status,) in database.rows(_EVENTS)} == {"ENABLED", "DISABLED"}
    proven = copies.proven(snapshot_of(database))
    assert {*snapshot_of(other).objects} ^ {*proven.objects} == set()
    assert snapshot_of(other) == proven != snapshot_of(database)


_EVENTS = "SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"


@pytest.mark.parametrize(("database", "form"), FORMS, indirect=["database"])
def test_cut_off(database: Database, form: DumpFormat, tmp_path: Path) -> None:
    """A copy that ends in the middle is found out by reading it, wherever that is."""
    fill(database)
    copies, way, going = copies_of(database), way_of(database, form), going_in(tmp_path, database)
    listing, trailer = copies.listing(way), copies.trailer(way)
    with open_destination("backups", root=tmp_path) as destination:
        dump(copies.dump(url_of(database), way), destination, "copy", going)
        path = tmp_path / "backups" / "copy"
        if path.is_dir():
            path = max(path.iterdir(), key=lambda one: one.stat().st_size)
        whole = path.read_bytes()
        for tenth in range(10):
            path.write_bytes(whole[: len(whole) * tenth // 10])
            with pytest.raises(OrchestrateError) as caught:
                _read(listing, trailer, destination, going)
            assert caught.value.code == "backup-broken"


def _read(
    listing: Program | None, trailer: bytes | None, destination: Destination, going: Going
) -> None:
    if listing is not None:
        load(listing, destination, "copy", going, code="backup-broken")
    else:
        read_through(destination, "copy", trailer=trailer, going=going)


def test_sqlite_nothing(tmp_path: Path) -> None:
    """SQLite: a database in which nothing was ever made has a copy that can be told from none."""
    database = sqlite_database(tmp_path / "nothing.db")
    Path(database.name).touch()
    copies, way, going = copies_of(database), way_of(database), going_in(tmp_path, database)
    with open_destination("backups", root=tmp_path) as destination:
        assert dump(copies.dump(url_of(database), way), destination, "copy", going).bytes > 0
        _read(copies.listing(way), None, destination, going)
