"""PostgreSQL's snapshot queries for functions, triggers, rules, policies and rarer objects."""

# ruff: noqa: S608  (texts are put together from constants of this package alone)

from __future__ import annotations

from typing import Final

from orchestrate.dialects.postgresql_fragments import COMMENT, NOT_OURS, comment, free

# Aggregates have no text of their own on the server.
FUNCTIONS: Final = f"""\
SELECT
  CASE function.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
  namespace.nspname, NULL,
  quote_ident(function.proname) || '(' || pg_get_function_identity_arguments(function.oid) || ')',
  concat_ws(' ',
    CASE WHEN function.prokind <> 'a' THEN pg_get_functiondef(function.oid)
      ELSE concat_ws(' ', 'SFUNC', CAST(aggregate.aggtransfn AS regproc),
        'STYPE', format_type(aggregate.aggtranstype, NULL),
        'FINALFUNC ' || CAST(NULLIF(CAST(aggregate.aggfinalfn AS oid), 0) AS regproc),
        'COMBINEFUNC ' || CAST(NULLIF(CAST(aggregate.aggcombinefn AS oid), 0) AS regproc),
        'INITCOND ' || quote_literal(aggregate.agginitval),
        'RETURNS', pg_get_function_result(function.oid)) END,
    {COMMENT})
FROM pg_proc AS function
JOIN pg_namespace AS namespace ON namespace.oid = function.pronamespace
LEFT JOIN pg_aggregate AS aggregate ON aggregate.aggfnoid = function.oid
{comment("pg_proc", "function.oid")}
WHERE {NOT_OURS} AND {free("pg_proc", "function.oid")}"""

TRIGGERS: Final = f"""\
SELECT 'trigger', namespace.nspname, class.relname, trigger.tgname,
  concat_ws(' ',
    regexp_replace(pg_get_triggerdef(trigger.oid), '^CREATE (CONSTRAINT )?TRIGGER .*? '
      || '(BEFORE|AFTER|INSTEAD OF) ', '\\1\\2 '),
    CASE trigger.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'A' THEN 'ENABLED ALWAYS'
      WHEN 'R' THEN 'ENABLED REPLICA' END,
    {COMMENT})
FROM pg_trigger AS trigger
JOIN pg_class AS class ON class.oid = trigger.tgrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{comment("pg_trigger", "trigger.oid")}
WHERE NOT trigger.tgisinternal AND {NOT_OURS} AND {free("pg_class", "class.oid")}"""

# A view's own rule is its definition.
RULES: Final = f"""\
SELECT 'rule', namespace.nspname, class.relname, rule.rulename,
  concat_ws(' ', pg_get_ruledef(rule.oid),
    CASE rule.ev_enabled WHEN 'D' THEN 'DISABLED' WHEN 'A' THEN 'ENABLED ALWAYS'
      WHEN 'R' THEN 'ENABLED REPLICA' END,
    {COMMENT})
FROM pg_rewrite AS rule
JOIN pg_class AS class ON class.oid = rule.ev_class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{comment("pg_rewrite", "rule.oid")}
WHERE rule.rulename <> '_RETURN' AND {NOT_OURS} AND {free("pg_class", "class.oid")}"""

POLICIES: Final = f"""\
SELECT 'policy', namespace.nspname, class.relname, policy.polname,
  concat_ws(' ',
    CASE WHEN policy.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    'FOR ' || CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
      WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'TO ' || (SELECT string_agg(COALESCE(quote_ident(role.rolname), 'PUBLIC'), ', '
        ORDER BY role.rolname)
      FROM unnest(policy.polroles) AS member (oid)
      LEFT JOIN pg_roles AS role ON role.oid = member.oid),
    'USING (' || pg_get_expr(policy.polqual, policy.polrelid) || ')',
    'WITH CHECK (' || pg_get_expr(policy.polwithcheck, policy.polrelid) || ')',
    {COMMENT})
FROM pg_policy AS policy
JOIN pg_class AS class ON class.oid = policy.polrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{comment("pg_policy", "policy.oid")}
WHERE {NOT_OURS} AND {free("pg_class", "class.oid")}"""

# What few migrations touch: enough to see that it changed. A user mapping may hold a password.
OTHERS: Final = f"""\
SELECT 'statistics', namespace.nspname, NULL, statistics.stxname,
  concat_ws(' ',
    regexp_replace(pg_get_statisticsobjdef(statistics.oid), '^CREATE STATISTICS [^ ]+ ', ''),
    {COMMENT})
FROM pg_statistic_ext AS statistics
JOIN pg_namespace AS namespace ON namespace.oid = statistics.stxnamespace
{comment("pg_statistic_ext", "statistics.oid")}
WHERE {NOT_OURS} AND {free("pg_statistic_ext", "statistics.oid")}
UNION ALL
SELECT 'collation', namespace.nspname, NULL, coll.collname,
  concat_ws(' ', 'PROVIDER', coll.collprovider,
    COALESCE(to_jsonb(coll) ->> 'colllocale', to_jsonb(coll) ->> 'colliculocale'),
    coll.collcollate, coll.collctype,
    CASE WHEN NOT coll.collisdeterministic THEN 'NOT DETERMINISTIC' END, {COMMENT})
FROM pg_collation AS coll
JOIN pg_namespace AS namespace ON namespace.oid = coll.collnamespace
{comment("pg_collation", "coll.oid")}
WHERE {NOT_OURS} AND {free("pg_collation", "coll.oid")}
UNION ALL
SELECT 'operator', namespace.nspname, NULL, CAST(CAST(operator.oid AS regoperator) AS text),
  concat_ws(' ', 'FUNCTION', CAST(operator.oprcode AS regproc), {COMMENT})
FROM pg_operator AS operator
JOIN pg_namespace AS namespace ON namespace.oid = operator.oprnamespace
{comment("pg_operator", "operator.oid")}
WHERE {NOT_OURS} AND {free("pg_operator", "operator.oid")}
UNION ALL
SELECT 'text search configuration', namespace.nspname, NULL, config.cfgname,
  concat_ws(' ', (SELECT string_agg(concat_ws(' ', map.maptokentype,
      CAST(CAST(map.mapdict AS regdictionary) AS text)), ', '
      ORDER BY map.maptokentype, map.mapseqno)
    FROM pg_ts_config_map AS map WHERE map.mapcfg = config.oid), {COMMENT})
FROM pg_ts_config AS config
JOIN pg_namespace AS namespace ON namespace.oid = config.cfgnamespace
{comment("pg_ts_config", "config.oid")}
WHERE {NOT_OURS} AND {free("pg_ts_config", "config.oid")}
UNION ALL
SELECT 'text search dictionary', namespace.nspname, NULL, dictionary.dictname,
  concat_ws(' ', dictionary.dictinitoption, {COMMENT})
FROM pg_ts_dict AS dictionary
JOIN pg_namespace AS namespace ON namespace.oid = dictionary.dictnamespace
{comment("pg_ts_dict", "dictionary.oid")}
WHERE {NOT_OURS} AND {free("pg_ts_dict", "dictionary.oid")}
UNION ALL
SELECT 'event trigger', NULL, NULL, trigger.evtname,
  concat_ws(' ', trigger.evtevent, array_to_string(trigger.evttags, ', '),
    'EXECUTE', CAST(trigger.evtfoid AS regproc), 'ENABLED', trigger.evtenabled, {COMMENT})
FROM pg_event_trigger AS trigger
{comment("pg_event_trigger", "trigger.oid")}
WHERE {free("pg_event_trigger", "trigger.oid")}
UNION ALL
SELECT 'foreign server', NULL, NULL, server.srvname,
  concat_ws(' ', 'WRAPPER', quote_ident(wrapper.fdwname), 'TYPE ' || server.srvtype,
    'VERSION ' || server.srvversion, {COMMENT})
FROM pg_foreign_server AS server
JOIN pg_foreign_data_wrapper AS wrapper ON wrapper.oid = server.srvfdw
{comment("pg_foreign_server", "server.oid")}
WHERE {free("pg_foreign_server", "server.oid")}
UNION ALL
SELECT 'cast', NULL, NULL,
  format_type(cast_.castsource, NULL) || ' AS ' || format_type(cast_.casttarget, NULL),
  concat_ws(' ', 'FUNCTION ' || CAST(NULLIF(cast_.castfunc, 0) AS regprocedure),
    'CONTEXT', cast_.castcontext, 'METHOD', cast_.castmethod, {COMMENT})
FROM pg_cast AS cast_
{comment("pg_cast", "cast_.oid")}
WHERE cast_.oid >= 16384 AND {free("pg_cast", "cast_.oid")}"""

PUBLICATIONS: Final = f"""\
SELECT 'publication', NULL, NULL, publication.pubname,
  concat_ws(' ',
    CASE WHEN publication.puballtables THEN 'FOR ALL TABLES' END,
    (SELECT 'FOR TABLE ' || string_agg(CAST(CAST(member.prrelid AS regclass) AS text), ', '
        ORDER BY CAST(CAST(member.prrelid AS regclass) AS text))
      FROM pg_publication_rel AS member WHERE member.prpubid = publication.oid),
    'PUBLISH', concat_ws(', ', CASE WHEN publication.pubinsert THEN 'insert' END,
      CASE WHEN publication.pubupdate THEN 'update' END,
      CASE WHEN publication.pubdelete THEN 'delete' END,
      CASE WHEN publication.pubtruncate THEN 'truncate' END),
    {COMMENT})
FROM pg_publication AS publication
{comment("pg_publication", "publication.oid")}
WHERE {free("pg_publication", "publication.oid")}"""
