"""Changes of a PostgreSQL schema, the way back, and what each has to be called."""

from tests.dialects.reading import Change

SCHEMA = (
    "CREATE SCHEMA shop",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE DOMAIN amount AS numeric(10,2) DEFAULT 0 CHECK (VALUE >= 0)",
    "CREATE TYPE place AS (street text, city text)",
    "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'good')",
    "CREATE TABLE shop.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " total numeric(10,2) DEFAULT 0, user_id integer, note varchar(100), placed date,"
    " CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id),"
    " CONSTRAINT ck_total CHECK (total >= 0))",
    "CREATE INDEX ix_total ON shop.orders (total)",
    "CREATE VIEW paid AS SELECT id, total FROM shop.orders WHERE total > 0",
    "CREATE MATERIALIZED VIEW totals AS SELECT sum(total) AS sum FROM shop.orders",
    "CREATE FUNCTION twice(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT a * 2 $$",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE POLICY own ON shop.orders USING (user_id > 0)",
    "CREATE SEQUENCE ticket",
    "CREATE TABLE log (id integer, at date) PARTITION BY RANGE (at)",
    "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "CREATE TABLE base (id integer NOT NULL)",
    "CREATE FUNCTION observe() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
    "CREATE FOREIGN DATA WRAPPER dummy",
)


def orders(name: str, there: str, back: str, *named: str) -> Change:
    """Return a change of the table `shop.orders`."""
    return Change(
        name, [f"ALTER TABLE shop.orders {there}"], [f"ALTER TABLE shop.orders {back}"], named
    )


def note(name: str, there: str, back: str) -> Change:
    """Return a change of the column `shop.orders.note`."""
    return orders(
        name, f"ALTER note {there}", f"ALTER note {back}", "altered column shop.orders.note"
    )


def index(name: str, there: str) -> Change:
    """Return a change of the index `ix_total`, made anew."""
    return Change(
        name,
        ["DROP INDEX shop.ix_total", there],
        ["DROP INDEX shop.ix_total", SCHEMA[6]],
        ["altered index shop.orders.ix_total"],
    )


def simple(name: str, there: str, back: str, *named: str) -> Change:
    """Return a change of one statement there and one back."""
    return Change(name, [there], [back], named)


CHANGES = (
    simple("schema", "CREATE SCHEMA other", "DROP SCHEMA other", "added schema other"),
    simple(
        "extension without its content",
        "CREATE EXTENSION pg_trgm SCHEMA public",
        "DROP EXTENSION pg_trgm",
        "added extension pg_trgm",
    ),
    simple(
        "table added",
        "CREATE TABLE tags (id integer PRIMARY KEY, label text UNIQUE)",
        "DROP TABLE tags",
        "added table tags",
    ),
    simple(
        "table with a serial",
        "CREATE TABLE tags (id serial PRIMARY KEY)",
        "DROP TABLE tags",
        "added sequence tags_id_seq",
        "added table tags",
    ),
    simple(
        "table renamed",
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE people RENAME TO users",
        "added table people",
        "altered constraint shop.orders.fk_user",
        "altered sequence users_id_seq",
        "removed table users",
    ),
    simple(
        "table moved",
        "ALTER TABLE log_1 SET SCHEMA shop",
        "ALTER TABLE shop.log_1 SET SCHEMA public",
        "added table shop.log_1",
        "removed table log_1",
    ),
    simple(
        "unlogged",
        "ALTER TABLE shop.orders SET UNLOGGED",
        "ALTER TABLE shop.orders SET LOGGED",
        "altered table shop.orders",
    ),
    orders(
        "fill factor", "SET (fillfactor = 70)", "RESET (fillfactor)", "altered table shop.orders"
    ),
    orders(
        "row security",
        "ENABLE ROW LEVEL SECURITY",
        "DISABLE ROW LEVEL SECURITY",
        "altered table shop.orders",
    ),
    orders(
        "row security forced",
        "FORCE ROW LEVEL SECURITY",
        "NO FORCE ROW LEVEL SECURITY",
        "altered table shop.orders",
    ),
    orders(
        "replica identity",
        "REPLICA IDENTITY FULL",
        "REPLICA IDENTITY DEFAULT",
        "altered table shop.orders",
    ),
    simple(
        "table comment",
        "COMMENT ON TABLE shop.orders IS 'what was  bought'",
        "COMMENT ON TABLE shop.orders IS NULL",
        "altered table shop.orders",
    ),
    simple(
        "partition",
        "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
        "DROP TABLE log_2",
        "added table log_2",
    ),
    simple(
        "partition detached",
        "ALTER TABLE log DETACH PARTITION log_1",
        "ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        "altered table log_1",
    ),
    simple(
        "inheritance",
        "ALTER TABLE users INHERIT base",
        "ALTER TABLE users NO INHERIT base",
        "altered table users",
    ),
    orders(
        "column added",
        "ADD paid_at timestamptz DEFAULT now()",
        "DROP paid_at",
        "added column shop.orders.paid_at",
    ),
    orders("column removed", "DROP placed", "ADD placed date", "removed column shop.orders.placed"),
    orders(
        "column renamed",
        "RENAME note TO remark",
        "RENAME remark TO note",
        "added column shop.orders.remark",
        "removed column shop.orders.note",
    ),
    note("type", "TYPE text", "TYPE varchar(100)"),
    note("length", "TYPE varchar(101)", "TYPE varchar(100)"),
    note("null", "SET NOT NULL", "DROP NOT NULL"),
    note("default", "SET DEFAULT 'x'", "DROP DEFAULT"),
    note("column collation", 'TYPE varchar(100) COLLATE "C"', "TYPE varchar(100)"),
    note("storage", "SET STORAGE EXTERNAL", "SET STORAGE EXTENDED"),
    note("compression", "SET COMPRESSION pglz", "SET COMPRESSION DEFAULT"),
    note("statistics target", "SET STATISTICS 500", "SET STATISTICS -1"),
    note("column option", "SET (n_distinct = 5)", "RESET (n_distinct)"),
    simple(
        "column comment",
        "COMMENT ON COLUMN shop.orders.note IS 'for us'",
        "COMMENT ON COLUMN shop.orders.note IS NULL",
        "altered column shop.orders.note",
    ),
    orders(
        "identity",
        "ALTER id SET GENERATED BY DEFAULT",
        "ALTER id SET GENERATED ALWAYS",
        "altered column shop.orders.id",
    ),
    orders(
        "identity's options",
        "ALTER id SET INCREMENT 5",
        "ALTER id SET INCREMENT 1",
        "altered column shop.orders.id",
    ),
    orders(
        "generated column",
        "ADD twice numeric GENERATED ALWAYS AS (total * 2) STORED",
        "DROP twice",
        "added column shop.orders.twice",
    ),
    orders(
        "unique",
        "ADD CONSTRAINT uq_note UNIQUE (note)",
        "DROP CONSTRAINT uq_note",
        "added constraint shop.orders.uq_note",
    ),
    orders(
        "primary key",
        "DROP CONSTRAINT orders_pkey",
        "ADD CONSTRAINT orders_pkey PRIMARY KEY (id)",
        "removed constraint shop.orders.orders_pkey",
    ),
    orders(
        "check",
        "ADD CONSTRAINT ck_note CHECK (note <> '')",
        "DROP CONSTRAINT ck_note",
        "added constraint shop.orders.ck_note",
    ),
    orders(
        "check not validated",
        "ADD CONSTRAINT ck_note CHECK (note <> '') NOT VALID",
        "DROP CONSTRAINT ck_note",
        "added constraint shop.orders.ck_note",
    ),
    orders(
        "exclusion",
        "ADD CONSTRAINT ex EXCLUDE (placed WITH =)",
        "DROP CONSTRAINT ex",
        "added constraint shop.orders.ex",
    ),
    Change(
        "foreign key's rule",
        [
            "ALTER TABLE shop.orders DROP CONSTRAINT fk_user, ADD CONSTRAINT fk_user"
            " FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE"
        ],
        [
            "ALTER TABLE shop.orders DROP CONSTRAINT fk_user, ADD CONSTRAINT fk_user"
            " FOREIGN KEY (user_id) REFERENCES users (id)"
        ],
        ["altered constraint shop.orders.fk_user"],
    ),
    orders(
        "foreign key deferrable",
        "ALTER CONSTRAINT fk_user DEFERRABLE",
        "ALTER CONSTRAINT fk_user NOT DEFERRABLE",
        "altered constraint shop.orders.fk_user",
    ),
    simple(
        "constraint comment",
        "COMMENT ON CONSTRAINT ck_total ON shop.orders IS 'no debts'",
        "COMMENT ON CONSTRAINT ck_total ON shop.orders IS NULL",
        "altered constraint shop.orders.ck_total",
    ),
    simple(
        "index added",
        "CREATE INDEX ix_user ON shop.orders (user_id)",
        "DROP INDEX shop.ix_user",
        "added index shop.orders.ix_user",
    ),
    simple(
        "index removed", "DROP INDEX shop.ix_total", SCHEMA[6], "removed index shop.orders.ix_total"
    ),
    simple(
        "index renamed",
        "ALTER INDEX shop.ix_total RENAME TO ix_t",
        "ALTER INDEX shop.ix_t RENAME TO ix_total",
        "added index shop.orders.ix_t",
        "removed index shop.orders.ix_total",
    ),
    index("index unique", "CREATE UNIQUE INDEX ix_total ON shop.orders (total)"),
    index("index method", "CREATE INDEX ix_total ON shop.orders USING brin (total)"),
    index("index direction", "CREATE INDEX ix_total ON shop.orders (total DESC NULLS LAST)"),
    index("index include", "CREATE INDEX ix_total ON shop.orders (total) INCLUDE (note)"),
    index("index partial", "CREATE INDEX ix_total ON shop.orders (total) WHERE total > 0"),
    index("index over an expression", "CREATE INDEX ix_total ON shop.orders ((total + 1))"),
    index(
        "index operator class", "CREATE INDEX ix_total ON shop.orders (note varchar_pattern_ops)"
    ),
    index("index option", "CREATE INDEX ix_total ON shop.orders (total) WITH (fillfactor = 70)"),
    simple(
        "clustered",
        "ALTER TABLE shop.orders CLUSTER ON ix_total",
        "ALTER TABLE shop.orders SET WITHOUT CLUSTER",
        "altered index shop.orders.ix_total",
    ),
    simple(
        "enum value",
        "ALTER TYPE mood RENAME VALUE 'bad' TO 'sad'",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'",
        "altered enum mood",
    ),
    simple(
        "enum added", "CREATE TYPE size AS ENUM ('s', 'm')", "DROP TYPE size", "added enum size"
    ),
    simple(
        "domain check",
        "ALTER DOMAIN amount ADD CONSTRAINT small CHECK (VALUE < 9)",
        "ALTER DOMAIN amount DROP CONSTRAINT small",
        "altered domain amount",
    ),
    simple(
        "domain default",
        "ALTER DOMAIN amount SET DEFAULT 1",
        "ALTER DOMAIN amount SET DEFAULT 0",
        "altered domain amount",
    ),
    simple(
        "domain null",
        "ALTER DOMAIN amount SET NOT NULL",
        "ALTER DOMAIN amount DROP NOT NULL",
        "altered domain amount",
    ),
    simple(
        "composite",
        "ALTER TYPE place ADD ATTRIBUTE zip text",
        "ALTER TYPE place DROP ATTRIBUTE zip",
        "altered type place",
    ),
    simple(
        "range", "CREATE TYPE span AS RANGE (subtype = float8)", "DROP TYPE span", "added type span"
    ),
    simple(
        "sequence",
        "ALTER SEQUENCE ticket INCREMENT 5",
        "ALTER SEQUENCE ticket INCREMENT 1",
        "altered sequence ticket",
    ),
    simple(
        "sequence owned",
        "ALTER SEQUENCE ticket OWNED BY users.id",
        "ALTER SEQUENCE ticket OWNED BY NONE",
        "altered sequence ticket",
    ),
    simple(
        "view added",
        "CREATE VIEW names AS SELECT name FROM users",
        "DROP VIEW names",
        "added view names",
    ),
    simple(
        "view altered",
        SCHEMA[7].replace("CREATE", "CREATE OR REPLACE").replace("0", "1"),
        SCHEMA[7].replace("CREATE", "CREATE OR REPLACE"),
        "altered view paid",
    ),
    simple(
        "view column comment",
        "COMMENT ON COLUMN paid.total IS 'x'",
        "COMMENT ON COLUMN paid.total IS NULL",
        "added column paid.total",
    ),
    simple(
        "view option",
        "ALTER VIEW paid SET (security_barrier = true)",
        "ALTER VIEW paid RESET (security_barrier)",
        "altered view paid",
    ),
    Change(
        "materialized view",
        ["DROP MATERIALIZED VIEW totals", SCHEMA[8].replace("sum(total)", "max(total)")],
        ["DROP MATERIALIZED VIEW totals", SCHEMA[8]],
        ["altered materialized view totals"],
    ),
    simple(
        "materialized view empty",
        "REFRESH MATERIALIZED VIEW totals WITH NO DATA",
        "REFRESH MATERIALIZED VIEW totals",
        "altered materialized view totals",
    ),
    simple(
        "function",
        SCHEMA[9].replace("CREATE", "CREATE OR REPLACE").replace("* 2", "*  2"),
        SCHEMA[9].replace("CREATE", "CREATE OR REPLACE"),
        "altered function twice(a integer)",
    ),
    simple(
        "function overloaded",
        "CREATE FUNCTION twice(a text) RETURNS text LANGUAGE sql AS $$ SELECT a || a $$",
        "DROP FUNCTION twice(text)",
        "added function twice(a text)",
    ),
    simple(
        "function strict",
        "ALTER FUNCTION twice(integer) STRICT",
        "ALTER FUNCTION twice(integer) CALLED ON NULL INPUT",
        "altered function twice(a integer)",
    ),
    simple(
        "procedure",
        "CREATE PROCEDURE p() LANGUAGE sql AS $$ SELECT 1 $$",
        "DROP PROCEDURE p",
        "added procedure p()",
    ),
    simple(
        "aggregate",
        "CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer)",
        "DROP AGGREGATE total(integer)",
        "added aggregate total(integer)",
    ),
    simple(
        "trigger disabled",
        "ALTER TABLE shop.orders DISABLE TRIGGER touch",
        "ALTER TABLE shop.orders ENABLE TRIGGER touch",
        "altered trigger shop.orders.touch",
    ),
    Change(
        "trigger altered",
        ["DROP TRIGGER touch ON shop.orders", SCHEMA[11].replace("BEFORE", "AFTER")],
        ["DROP TRIGGER touch ON shop.orders", SCHEMA[11]],
        ["altered trigger shop.orders.touch"],
    ),
    simple(
        "policy",
        "ALTER POLICY own ON shop.orders USING (user_id > 1)",
        "ALTER POLICY own ON shop.orders USING (user_id > 0)",
        "altered policy shop.orders.own",
    ),
    simple(
        "policy for somebody",
        "CREATE POLICY p2 ON shop.orders FOR INSERT TO tester WITH CHECK (true)",
        "DROP POLICY p2 ON shop.orders",
        "added policy shop.orders.p2",
    ),
    simple(
        "rule",
        "CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING",
        "DROP RULE quiet ON users",
        "added rule users.quiet",
    ),
    simple(
        "statistics",
        "CREATE STATISTICS st ON total, note FROM shop.orders",
        "DROP STATISTICS st",
        "added statistics st",
    ),
    simple(
        "publication",
        "CREATE PUBLICATION pub FOR TABLE users",
        "DROP PUBLICATION pub",
        "added publication pub",
    ),
    simple(
        "event trigger",
        "CREATE EVENT TRIGGER et ON ddl_command_end WHEN TAG IN ('COMMENT')"
        " EXECUTE FUNCTION observe()",
        "DROP EVENT TRIGGER et",
        "added event trigger et",
    ),
    simple(
        "collation",
        "CREATE COLLATION plain (provider = libc, locale = 'C')",
        "DROP COLLATION plain",
        "added collation plain",
    ),
    simple(
        "operator",
        "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl)",
        "DROP OPERATOR ## (integer, integer)",
        "added operator public.##(integer,integer)",
    ),
    simple(
        "cast",
        "CREATE CAST (place AS text) WITH INOUT",
        "DROP CAST (place AS text)",
        'added cast "public.place AS text"',
    ),
    simple(
        "search configuration",
        "CREATE TEXT SEARCH CONFIGURATION tsc (COPY = simple)",
        "DROP TEXT SEARCH CONFIGURATION tsc",
        "added text search configuration tsc",
    ),
    simple(
        "foreign data wrapper",
        "CREATE SERVER far FOREIGN DATA WRAPPER dummy",
        "DROP SERVER far",
        "added foreign server far",
    ),
    simple(
        "grant",
        "GRANT SELECT, INSERT ON shop.orders TO PUBLIC",
        "REVOKE ALL ON shop.orders FROM PUBLIC",
        "added grant shop.orders to PUBLIC",
    ),
    simple(
        "grant of a column",
        "GRANT UPDATE (note) ON shop.orders TO pg_monitor WITH GRANT OPTION",
        "REVOKE ALL (note) ON shop.orders FROM pg_monitor",
        "added grant shop.orders (note) to pg_monitor",
    ),
    simple(
        "what everybody may do taken back",
        "REVOKE EXECUTE ON FUNCTION twice(integer) FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION twice(integer) TO PUBLIC",
        "added grant twice(a integer) to PUBLIC",
    ),
    simple(
        "grant of a schema",
        "GRANT USAGE ON SCHEMA shop TO pg_monitor",
        "REVOKE USAGE ON SCHEMA shop FROM pg_monitor",
        "added grant schema shop to pg_monitor",
    ),
    simple(
        "grant of a sequence",
        "GRANT USAGE ON SEQUENCE ticket TO pg_monitor",
        "REVOKE USAGE ON SEQUENCE ticket FROM pg_monitor",
        "added grant ticket to pg_monitor",
    ),
    Change(
        "default grant",
        ["ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO pg_monitor"],
        ["ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM pg_monitor"],
        ["added default grant of tester on tables in shop to pg_monitor"],
    ),
)
UNCHANGED = (
    "INSERT INTO users (name) VALUES ('a'), ('b')",
    "INSERT INTO shop.orders (total, user_id) VALUES (3, 1)",
    "SELECT nextval('ticket')",
    "ALTER SEQUENCE ticket RESTART WITH 500",
    "ANALYZE",
    "VACUUM FULL",
    "REINDEX TABLE shop.orders",
    "REFRESH MATERIALIZED VIEW totals",
    "DELETE FROM shop.orders",
    "TRUNCATE users CASCADE",
    "INSERT INTO alembic_version VALUES ('a1')",
    "ALTER TABLE alembic_version ADD COLUMN other integer UNIQUE",
    "CREATE TEMPORARY TABLE scratch (id serial PRIMARY KEY)",
    "CREATE TABLE orchestrate_events (sequence bigint PRIMARY KEY)",
    "ALTER TABLE users OWNER TO pg_monitor",
    "ALTER TABLE users OWNER TO CURRENT_USER",
    "SET search_path = shop, public",
    "SET datestyle = 'German'",
    "SET quote_all_identifiers = on",
    "RESET ALL",
    "CHECKPOINT",
)
