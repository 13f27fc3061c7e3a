"""What has to be so after a round: the same database as without kills, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stress import project
from stress.desk import ENVIRONMENT, Desk
from tests.support.databases import Database
from tests.support.servers import Server
from wild import shape
from wild.databases import PASSWORD
from wild.shape import Shape

# What is kept there has other names each time; the copies are compared with their catalogue.
_OTHER_EACH_TIME: Final = ("log", "said", "work/backups", "work/.orchestrate/cache")
_PATIENCE: Final = 5.0


@dataclass(frozen=True)
class Reference:
    """What a run without kills takes and leaves."""

    seconds: float
    shape: Shape
    files: Collection[str]


def reference_of(desk: Desk, database: Database, seconds: float) -> Reference:
    """Return what there is after a run without kills."""
    return Reference(seconds, _shape_of(database), _files_of(desk))


def _shape_of(database: Database) -> Shape:
    """Return every object of a database, and what its rows are."""
    found = shape.of(database)
    for table in database.tables():
        rows = sorted(map(repr, database.rows(f"SELECT * FROM {table}")))
        digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]
        found[f"content of {table}"] = f"{len(rows)} rows, {digest}"
    if database.kind == "postgresql":
        schemas = database.rows("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")
        found.update((f"schema {name}", "") for (name,) in schemas)
    return found


def _files_of(desk: Desk) -> set[str]:
    """Return the files that have the same name in each round."""
    names = {str(path.relative_to(desk.folder)) for path in desk.folder.rglob("*")}
    return {name for name in names if not name.startswith(_OTHER_EACH_TIME)}


def names_of_databases(server: Server | None) -> set[str]:
    """Return the names of all databases of a server."""
    if server is None:
        return set()
    query = "SELECT datname FROM pg_database"
    if server.kind == "mariadb":
        query = "SELECT schema_name FROM information_schema.schemata"
    return {str(name) for (name,) in server.rows(query)}


def check(desk: Desk, database: Database, reference: Reference, databases: Collection[str]) -> None:
    """Look at everything after a round; `databases` were on the server when it began."""
    desk.await_end_of_processes(_PATIENCE)
    if database.heads() != [project.LAST]:
        desk.wrong(f"the database is at {database.heads()}, not at {project.LAST}")
    if difference := shape.difference(_shape_of(database), reference.shape):
        desk.wrong(f"not as a run without kills leaves it: {difference}")
    desk.succeed("backup", ENVIRONMENT)  # it also takes away what is left of earlier copies
    desk.succeed("history", "--verify")
    _check_copies(desk)
    if more := names_of_databases(database.server).difference(databases):
        desk.wrong(f"databases that are left: {sorted(more)}")
    if more := _files_of(desk).difference(reference.files):
        desk.wrong(f"files that are left: {sorted(more)}")
    for path in desk.folder.rglob("*"):
        if path.is_file() and path.name != ".env" and PASSWORD.encode() in path.read_bytes():
            desk.wrong(f"the password is in {path.relative_to(desk.folder)}")
    desk.await_end_of_processes(_PATIENCE)


def _check_copies(desk: Desk) -> None:
    """Compare the catalogue of copies with their files, both ways."""
    result = desk.succeed("backups", ENVIRONMENT, "--format", "json")
    copies = result.json()["backups"] if result.status == 0 else []
    for copy in copies:
        path = Path(copy["location"])
        if not path.exists():
            desk.wrong(f"no file of the copy {json.dumps(copy)}")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != copy["sha256"]:
            desk.wrong(f"another file than was recorded: {json.dumps(copy)}")
    files = {path.name for path in (desk.work / "backups").glob("*")}
    if more := files - {Path(copy["location"]).name for copy in copies}:
        desk.wrong(f"in backups/ and in no catalogue: {sorted(more)}")
