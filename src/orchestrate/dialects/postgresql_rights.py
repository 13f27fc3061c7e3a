"""PostgreSQL: what a role may do in a database, as the server itself judges it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from orchestrate.dialects.canonical import text
from orchestrate.dialects.interface import VersionTable
from orchestrate.domain.diagnosis import Check, Rows, Storage

_ROLE = """\
SELECT CAST(current_user AS text), current_setting('default_transaction_read_only'),
  pg_is_in_recovery(), CAST(current_database() AS text), CAST(current_schema() AS text),
  has_database_privilege(current_database(), 'CREATE')"""

_SCHEMAS = """\
SELECT CAST(nspname AS text), has_schema_privilege(oid, 'CREATE')
FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY 1 LIMIT 10000"""

# A member of the owning role counts as the owner, and so does a superuser.
_TABLES = """\
SELECT CAST(namespace.nspname AS text), CAST(class.relname AS text),
  CAST(pg_get_userbyid(class.relowner) AS text), pg_has_role(class.relowner, 'USAGE'),
  has_table_privilege(class.oid, 'SELECT') AND has_table_privilege(class.oid, 'INSERT')
    AND has_table_privilege(class.oid, 'UPDATE') AND has_table_privilege(class.oid, 'DELETE'),
  has_table_privilege(class.oid, 'SELECT')
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p') AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.deptype = 'e'
    AND depend.classid = CAST('pg_catalog.pg_class' AS regclass) AND depend.objid = class.oid)
ORDER BY 1, 2 LIMIT 10000"""


class PostgreSQLRights:
    """What the role may do: write at all, create, alter what is there, keep the version table."""

    queries: Mapping[str, str] = MappingProxyType(
        {"role": _ROLE, "schemas": _SCHEMAS, "tables": _TABLES}
    )

    def checks(
        self, rows: Rows, *, version_table: VersionTable, storage: Storage | None
    ) -> tuple[Check, ...]:
        """Return every lack, or one check that says what may be done."""
        del storage
        role, read_only, standby, database, current, creates_schemas = (
            value if isinstance(value, bool) else text(value) if value is not None else None
            for value in rows["role"][0]
        )
        found = [*_read_only(role, read_only, standby)]
        schema = version_table.schema or current
        found += _creating(rows, role, schema)
        found += _tables(rows, role, schema, version_table)
        if found:
            return tuple(found)
        more = f", and schemas in `{database}`" if creates_schemas else ", no schemas"
        return (
            Check(
                check="rights",
                status="ok",
                message=f"`{role}` may create tables in `{schema}`{more}; every table is its own",
            ),
        )


def _problem(message: str, hint: str) -> Check:
    return Check(check="rights", status="problem", message=message, hint=hint)


def _read_only(role: object, read_only: object, standby: object) -> Iterator[Check]:
    if standby is True:
        yield _problem(
            "The server is a standby in recovery: it takes no writes",
            "Name the primary in the environment's URL",
        )
    elif read_only == "on":
        yield _problem(
            f"`{role}`'s transactions are read only (`default_transaction_read_only`)",
            f'`ALTER ROLE "{role}" RESET default_transaction_read_only`, or take another user',
        )


def _creating(rows: Rows, role: object, schema: object) -> Iterator[Check]:
    may = {text(name): bool(creates) for name, creates in rows["schemas"]}
    if schema is None:
        yield _problem(
            "No schema of the search path exists: a table would have no place",
            "`CREATE SCHEMA`, or set `search_path` for the role or in the URL's `options`",
        )
    elif str(schema) not in may:
        yield _problem(
            f"The schema `{schema}`, which is to hold the version table, does not exist",
            f'`CREATE SCHEMA "{schema}"`',
        )
    elif not may[str(schema)]:
        yield _problem(
            f"`{role}` may not create tables in the schema `{schema}`",
            f'`GRANT CREATE ON SCHEMA "{schema}" TO "{role}"`',
        )


def _tables(
    rows: Rows, role: object, schema: object, version_table: VersionTable
) -> Iterator[Check]:
    foreign: dict[str, list[str]] = {}
    for place, name, owner, owned, writes, reads in rows["tables"]:
        mine = (text(place), text(name)) == (schema, version_table.name)
        if mine and not writes:
            right = "write to" if reads else "read"
            yield _problem(
                f"`{role}` may not {right} the version table `{place}.{name}`",
                f"`GRANT SELECT, INSERT, UPDATE, DELETE ON "
                f'"{place}"."{name}" TO "{role}"`, or take the user that owns it',
            )
        if not owned:
            foreign.setdefault(text(owner), []).append(f"{place}.{name}")
    for owner, names in foreign.items():
        shown = ", ".join(f"`{name}`" for name in names[:3]) + (", …" if names[3:] else "")
        yield Check(
            check="rights",
            status="warning",
            message=f"{len(names)} of {len(rows['tables'])} tables belong to `{owner}` ({shown}): "
            f"`{role}` can neither alter nor drop them",
            hint=f'`GRANT "{owner}" TO "{role}"`, or migrate as `{owner}`',
        )
