"""PostgreSQL's snapshot query for grants: what others than an object's owner may do with it.

Told is only what differs from what every new object of its kind grants, as owners are no part of a
schema: a copy that was put back by another account has the same grants.
"""

# ruff: noqa: S608  (texts are put together from constants of this package alone)

from __future__ import annotations

from typing import Final

from orchestrate.dialects.postgresql_fragments import NOT_OURS, free

# Rows of (schema, object, part, access list, what a new object has, owner).
_THINGS: Final = f"""\
SELECT namespace.nspname, CAST(class.relname AS text), NULL, class.relacl,
    acldefault(CASE class.relkind WHEN 'S' THEN CAST('s' AS "char") ELSE CAST('r' AS "char") END,
      class.relowner), class.relowner
  FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
  WHERE class.relacl IS NOT NULL AND {NOT_OURS} AND {free("pg_class", "class.oid")}
  UNION ALL
  SELECT namespace.nspname, class.relname, '(' || quote_ident(attribute.attname) || ')',
    attribute.attacl, acldefault(CAST('c' AS "char"), class.relowner), class.relowner
  FROM pg_attribute AS attribute
  JOIN pg_class AS class ON class.oid = attribute.attrelid
  JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
  WHERE attribute.attacl IS NOT NULL AND NOT attribute.attisdropped AND {NOT_OURS}
    AND {free("pg_class", "class.oid")}
  UNION ALL
  SELECT NULL, 'schema ' || quote_ident(namespace.nspname), NULL, namespace.nspacl,
    acldefault(CAST('n' AS "char"), namespace.nspowner), namespace.nspowner
  FROM pg_namespace AS namespace
  WHERE namespace.nspacl IS NOT NULL AND {NOT_OURS} AND {free("pg_namespace", "namespace.oid")}
  UNION ALL
  SELECT namespace.nspname, quote_ident(function.proname)
      || '(' || pg_get_function_identity_arguments(function.oid) || ')', NULL, function.proacl,
    acldefault(CAST('f' AS "char"), function.proowner), function.proowner
  FROM pg_proc AS function JOIN pg_namespace AS namespace ON namespace.oid = function.pronamespace
  WHERE function.proacl IS NOT NULL AND {NOT_OURS} AND {free("pg_proc", "function.oid")}
  UNION ALL
  SELECT namespace.nspname, 'type ' || quote_ident(type.typname), NULL, type.typacl,
    acldefault(CAST('T' AS "char"), type.typowner), type.typowner
  FROM pg_type AS type JOIN pg_namespace AS namespace ON namespace.oid = type.typnamespace
  WHERE type.typacl IS NOT NULL AND {NOT_OURS} AND {free("pg_type", "type.oid")}"""

_GRANTEE: Final = (
    "CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one.grantee)) END"
)
_PRIVILEGES: Final = (
    "string_agg(DISTINCT one.privilege_type"
    " || CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', ')"
)

GRANTS: Final = f"""\
SELECT 'grant', thing.schema, thing.object, concat_ws(' ', thing.part, 'to', given.grantee),
  COALESCE(given.actual, 'NOTHING')
FROM ({_THINGS}) AS thing (schema, object, part, acl, standard, owner)
CROSS JOIN LATERAL (
  SELECT {_GRANTEE} AS grantee,
    {_PRIVILEGES} FILTER (WHERE one.given) AS actual,
    {_PRIVILEGES} FILTER (WHERE NOT one.given) AS standard
  FROM (
    SELECT grantee, privilege_type, is_grantable, true AS given FROM aclexplode(thing.acl)
    UNION ALL
    SELECT grantee, privilege_type, is_grantable, false FROM aclexplode(thing.standard)
  ) AS one
  WHERE one.grantee <> thing.owner
  GROUP BY one.grantee
) AS given
WHERE given.actual IS DISTINCT FROM given.standard
UNION ALL
SELECT 'default grant', NULL, 'of ' || quote_ident(pg_get_userbyid(fallback.defaclrole)),
  concat_ws(' ', 'on', CASE fallback.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
      WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' END,
    'in ' || quote_ident(namespace.nspname), 'to', {_GRANTEE}),
  {_PRIVILEGES}
FROM pg_default_acl AS fallback
CROSS JOIN LATERAL aclexplode(fallback.defaclacl) AS one
LEFT JOIN pg_namespace AS namespace ON namespace.oid = fallback.defaclnamespace
WHERE one.grantee <> fallback.defaclrole
GROUP BY fallback.defaclrole, fallback.defaclobjtype, namespace.nspname, one.grantee"""
