"""MariaDB and MySQL: what an account may do in a schema, read from its own grants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.interface import VersionTable
from orchestrate.domain.diagnosis import Check, Rows, Storage

_NEEDED: Final = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES",
)  # fmt: skip
_GRANT: Final = re.compile(
    r"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<schema>\*|`(?:[^`]|``)*`|\w+)\.(?P<object>\*|`.*?`)"
    r" TO ",
    re.DOTALL,
)
_ROLE: Final = re.compile(r"GRANT [`'\"].* TO ")


class MySQLRights:
    """What the account may do: write at all, and each right that migrations take."""

    queries: Mapping[str, str] = MappingProxyType(
        {
            "account": "SELECT CURRENT_USER(), DATABASE(), @@global.read_only",
            "grants": "SHOW GRANTS",
        }
    )

    def checks(
        self, rows: Rows, *, version_table: VersionTable, storage: Storage | None
    ) -> tuple[Check, ...]:
        """Return every lack, or one check that says what may be done.

        A right that a role may bring, or that is granted on some tables only, is a warning.
        """
        del storage
        account, schema, read_only = (
            None if value is None else text(value) for value in rows["account"][0]
        )
        grants = [text(row[0]) for row in rows["grants"]]
        rights, partial = rights_in(grants, schema or version_table.schema or "")
        found = []
        if read_only not in {"0", "OFF", "False", None} and not rights & _PAST_READ_ONLY:
            found.append(
                Check(
                    check="rights",
                    status="problem",
                    message="The server is read only (`read_only`): most likely a replica",
                    hint="Name the primary in the environment's URL",
                )
            )
        lacking = [name for name in _NEEDED if name not in rights]
        if lacking:
            unsure = partial or names_role(grants)
            found.append(
                Check(
                    check="rights",
                    status="warning" if unsure else "problem",
                    message=f"`{account}` has no right to {', '.join(lacking)} in all of "
                    f"`{schema}`" + (", unless by a role or on single tables" if unsure else ""),
                    hint=f"`GRANT {', '.join(lacking)} ON {_quoted(schema or '*')}.* TO "
                    f"{_account(account or '')}`",
                )
            )
        if found:
            return tuple(found)
        message = f"`{account}` may create, alter, index and drop tables in `{schema}`"
        return (Check(check="rights", status="ok", message=message),)


_PAST_READ_ONLY: Final = frozenset({"SUPER", "READ_ONLY ADMIN", "CONNECTION_ADMIN"})


def names_role(grants: Iterable[str]) -> bool:
    """Return whether a role is among the grants, which may bring rights that are not shown."""
    return any(_ROLE.match(line) for line in grants)


def rights_in(grants: Iterable[str], schema: str) -> tuple[set[str], bool]:
    """Return the rights in the whole schema, and whether there are some on parts of it.

    Whoever has all of them has `ALL` among them.
    """
    rights: set[str] = set()
    partial = False
    for line in grants:
        found = _GRANT.match(line)
        if not found or not _covers(found["schema"], schema):
            continue
        if found["object"] != "*":
            partial = True
            continue
        names = {name.strip().upper() for name in found["rights"].split(",")}
        rights |= {*_NEEDED, "ALL"} if names & {"ALL", "ALL PRIVILEGES"} else names
        if names & {"ALL", "ALL PRIVILEGES"} and found["schema"] == "*":
            rights.add("SUPER")
    return rights, partial


def _covers(pattern: str, schema: str) -> bool:
    """Tell whether a grant's schema, in which `_` and `%` are wildcards, covers a schema."""
    if pattern == "*":
        return True
    plain = pattern.strip("`").replace("``", "`")
    parts = re.findall(r"\\.|.", plain, re.DOTALL)
    kinds = {"_": ".", "%": ".*"}
    expression = "".join(kinds.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(expression, schema, re.DOTALL) is not None


def _quoted(name: str) -> str:
    return name if name == "*" else f"`{name}`"


def _account(account: str) -> str:
    user, _, host = account.rpartition("@")
    return f"'{user}'@'{host}'"
