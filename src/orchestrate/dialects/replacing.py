"""Putting a copy in the place of what a database holds: the texts that clear it. Pure."""

from __future__ import annotations

from typing import Final

# Everything of the database goes, in the transaction that puts the copy back. The schema `public`
# is made again with its owner, its grants and its comment, as a copy takes it for granted.
POSTGRESQL_CLEAR: Final = r"""
BEGIN;
SET LOCAL client_min_messages = warning;
DO $orchestrate$
DECLARE
  one record;
  owner name;
  remark text;
  grants aclitem[];
BEGIN
  SELECT pg_get_userbyid(nspowner), nspacl, obj_description(oid, 'pg_namespace')
  INTO owner, grants, remark
  FROM pg_catalog.pg_namespace WHERE nspname = 'public';
  -- What belongs to an extension goes with it; the server's own language stays.
  FOR one IN SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' LOOP
    EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', one.extname);
  END LOOP;
  FOR one IN SELECT nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname);
  END LOOP;
  -- What is in no schema. Objects of the server itself have lower numbers.
  FOR one IN
    SELECT 1 AS place, format('EVENT TRIGGER %I', evtname) AS what
      FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 2, format('PUBLICATION %I', pubname) FROM pg_catalog.pg_publication
    UNION ALL SELECT 3, format('SERVER %I CASCADE', srvname) FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 4, format('FOREIGN DATA WRAPPER %I CASCADE', fdwname)
      FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 5, format('CAST (%s AS %s)', format_type(castsource, NULL),
      format_type(casttarget, NULL)) FROM pg_catalog.pg_cast WHERE oid >= 16384
    UNION ALL SELECT 6, format('LANGUAGE %I CASCADE', lanname)
      FROM pg_catalog.pg_language WHERE oid >= 16384
    UNION ALL SELECT 7, format('ACCESS METHOD %I CASCADE', amname)
      FROM pg_catalog.pg_am WHERE oid >= 16384
    ORDER BY place
  LOOP
    EXECUTE 'DROP ' || one.what;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;
  CREATE SCHEMA public;
  IF owner IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format('COMMENT ON SCHEMA public IS %L', remark);
  FOR one IN SELECT grantee, privilege_type, is_grantable FROM aclexplode(grants)
    WHERE grantee <> CAST(quote_ident(owner) AS regrole)
  LOOP
    EXECUTE format('GRANT %s ON SCHEMA public TO %s%s', one.privilege_type,
      CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one.grantee)) END,
      CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;
  BEGIN
    EXECUTE format('ALTER SCHEMA public OWNER TO %I', owner);
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END;
END
$orchestrate$;
"""

POSTGRESQL_FAILED: Final = (
    "DO $$ BEGIN RAISE EXCEPTION 'the copy could not be read to its end'; END $$;"
)

# One statement a line. Tables first: what a trigger or a key needs goes with them.
MYSQL_CLEAR: Final = """
SELECT 'SET FOREIGN_KEY_CHECKS = 0;'
UNION ALL SELECT CONCAT('DROP ', IF(TABLE_TYPE = 'VIEW', 'VIEW', IF(TABLE_TYPE = 'SEQUENCE',
  'SEQUENCE', 'TABLE')), ' IF EXISTS `', REPLACE(TABLE_NAME, '`', '``'), '`;')
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT('DROP ', ROUTINE_TYPE, ' IF EXISTS `', REPLACE(ROUTINE_NAME, '`', '``'),
  '`;')
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT('DROP EVENT IF EXISTS `', REPLACE(EVENT_NAME, '`', '``'), '`;')
FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
"""
