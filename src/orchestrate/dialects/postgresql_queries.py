"""PostgreSQL's snapshot queries: rows of (kind, schema, table or null, name or null, definition).

The server writes the definitions, with its own `pg_get_…def` functions and an empty search path, so
that every name outside `pg_catalog` is qualified, whoever asks. What belongs to an extension
is left out: the extension itself, with its version, stands for it. So are owners, statistics,
and the current value of sequences. Columns of catalogues that PostgreSQL 12
does not have are read through `to_jsonb`, which gives null for a key that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orchestrate.dialects import postgresql_grants as grants
from orchestrate.dialects import postgresql_programs as programs
from orchestrate.dialects import postgresql_relations as relations

# For the transaction only. The definitions below hold literals and names, whose spelling hangs on
# these settings; pg_dump sets them for the same reason.
_SETTINGS: Final = """\
SELECT set_config('search_path', 'pg_catalog', true), set_config('datestyle', 'ISO', true),
  set_config('intervalstyle', 'postgres', true), set_config('timezone', 'UTC', true),
  set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),
  set_config('quote_all_identifiers', 'off', true), set_config('lock_timeout', '2s', true)"""

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settings": _SETTINGS,
        "schemas": relations.SCHEMAS,
        "extensions": relations.EXTENSIONS,
        "tables": relations.TABLES,
        "columns": relations.COLUMNS,
        "view_columns": relations.VIEW_COLUMNS,
        "constraints": relations.CONSTRAINTS,
        "indexes": relations.INDEXES,
        "sequences": relations.SEQUENCES,
        "types": relations.TYPES,
        "functions": programs.FUNCTIONS,
        "triggers": programs.TRIGGERS,
        "rules": programs.RULES,
        "policies": programs.POLICIES,
        "others": programs.OTHERS,
        "publications": programs.PUBLICATIONS,
        "grants": grants.GRANTS,
    }
)
