"""Databases with a bit of everything, for tests that copy them."""

EVERY_BYTE = bytes(range(256))
UNICODE = "Grüße 日本語 🦄 'quoted' \"twice\" back\\slash tab\t %s :x {{ y }}"

POSTGRESQL = (
    "CREATE EXTENSION pg_trgm",
    "CREATE EXTENSION hstore",
    "CREATE TABLE kinds (id integer PRIMARY KEY, small smallint, big bigint, exact numeric(30,10),"
    " anything numeric, single real, double double precision, price money, word varchar(200),"
    ' fixed char(5), body text, raw bytea, "When" timestamptz, naive timestamp, day date,'
    " hour time, zoned timetz, span interval, flag boolean, place point, shape polygon, net inet,"
    " block cidr, mac macaddr, bits bit(5), more varbit, search tsvector, query tsquery,"
    " unique_id uuid, document json, binary_document jsonb, numbers integer[], words text[][],"
    " range int4range, ranges tstzmultirange, pairs hstore, mood mood, moods mood[],"
    " address place, amount amount, twice integer GENERATED ALWAYS AS (id * 2) STORED)",
    f"INSERT INTO kinds VALUES (1, -32768, 9223372036854775807, 1.0000000001, 'NaN', 1e-30,"
    f" 0.1, 12.34, E'{UNICODE.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}', 'ab',"
    f" E'line\\nline\\\\.\\n\\\\N', '\\x{EVERY_BYTE.hex()}', '2026-01-01 00:00:00.123456+03',"
    " 'infinity', '0044-03-15 BC', '23:59:59.999999', '12:00+05:30', '1 year -2 days 03:04:05',"
    " true, '(1,2)', '((0,0),(1,0),(1,1))', '2001:db8::1/64', '10.0.0.0/8', '08:00:2b:01:02:03',"
    " B'10101', B'1', 'a fat cat', 'fat & cat', '11111111-2222-3333-4444-555555555555',"
    ' \'{"a":  1, "a": 2}\', \'{"a": {"b": [1, null, "\\u00fc"]}}\', \'{1,NULL,3}\','
    " '{{a,\"b,c\"},{NULL,\"\"}}', '[1,10)', '{[2026-01-01,2026-02-01)}', 'a=>1, b=>NULL',"
    " 'good', '{good,bad}', '(\"Main St\",Berlin)', 3.5)",
    "INSERT INTO kinds (id) VALUES (2)",
    'CREATE TABLE "Odd ""name"" of %s:x" (";" text, "select" text)',
    'INSERT INTO "Odd ""name"" of %s:x" VALUES (\'\', NULL)',
    "INSERT INTO users (name, mood) SELECT 'user ' || n, 'bad' FROM generate_series(1, 500) AS n",
    "INSERT INTO shop.orders (total, user_id, note) SELECT n, n, repeat('x', 100)"
    " FROM generate_series(1, 500) AS n",
    "REFRESH MATERIALIZED VIEW totals",
    "SELECT nextval('ticket') FROM generate_series(1, 41)",
    "INSERT INTO log VALUES (1, '2020-06-01')",
    "INSERT INTO alembic_version VALUES ('abc123')",
    f"SELECT lo_from_bytea(4242, '\\x{EVERY_BYTE.hex()}')",
    "SELECT lo_from_bytea(4243, decode(repeat('00ff', 100000), 'hex'))",
    "COMMENT ON LARGE OBJECT 4242 IS 'every byte'",
    "COMMENT ON TABLE users IS 'people; who -- buy'",
    "CREATE PUBLICATION changes FOR TABLE users",
    "CREATE STATISTICS correlated ON name, mood FROM users",
    "CREATE UNLOGGED TABLE cache (key text)",
    "INSERT INTO cache VALUES ('kept')",
)
"""After `changes_postgresql.SCHEMA`."""

MARIADB = (
    "CREATE TABLE kinds (id INT PRIMARY KEY, tiny TINYINT, big BIGINT UNSIGNED,"
    " exact DECIMAL(30,10), single FLOAT, `double` DOUBLE, word VARCHAR(200) CHARSET utf8mb4,"
    " western VARCHAR(200) CHARSET latin1, fixed CHAR(5), body LONGTEXT CHARSET utf8mb4,"
    " raw LONGBLOB, fixed_raw BINARY(4), bits BIT(5), moment TIMESTAMP(6) NULL, naive DATETIME(3),"
    " day DATE, hour TIME(6), year YEAR, mood ENUM('good','b\\'ad'), moods SET('a','b'),"
    " document JSON, place POINT, address INET6, unique_id UUID,"
    " twice INT AS (id * 2) VIRTUAL, thrice INT AS (id * 3) STORED, hidden INT INVISIBLE DEFAULT 7)",
    f"INSERT INTO kinds (id, tiny, big, exact, single, `double`, word, western, fixed, body, raw,"
    f" fixed_raw, bits, moment, naive, day, hour, year, mood, moods, document, place, address,"
    f" unique_id, hidden) VALUES (1, -128, 18446744073709551615, 1.0000000001, 1e-30, 0.1,"
    f" '{UNICODE.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}', 'Gr\u00fc\u00dfe',"
    f" 'ab', 'line\\r\\nline\\0nul', X'{EVERY_BYTE.hex()}', X'00ff0000', b'10101',"
    " '2026-01-01 00:00:00.123456', '9999-12-31 23:59:59.999', '1000-01-01', '-838:59:59', 2026,"
    " 'b\\'ad', 'a,b', '{\"a\": [1, null, \"\u00fc\"]}', POINT(1, 2), '2001:db8::1',"
    " '11111111-2222-3333-4444-555555555555', 8)",
    "INSERT INTO kinds (id) VALUES (2)",
    "CREATE TABLE `Odd ``name`` of %s:x` (`;` TEXT, `select` TEXT)",
    "INSERT INTO `Odd ``name`` of %s:x` VALUES ('', NULL)",
    "INSERT INTO users (name) SELECT CONCAT('user ', seq) FROM seq_1_to_500",
    "INSERT INTO orders (total, user_id) SELECT seq, seq FROM seq_1_to_500",
    "INSERT INTO log VALUES (1, '2021-06-01')",
    "INSERT INTO alembic_version VALUES ('abc123')",
    "CREATE SEQUENCE ticket START WITH 10",
    "SELECT NEXT VALUE FOR ticket",
    "CREATE TABLE first (id INT PRIMARY KEY, other INT)",
    "CREATE TABLE second (id INT PRIMARY KEY, other INT, FOREIGN KEY (other) REFERENCES first (id))",
    "ALTER TABLE first ADD FOREIGN KEY (other) REFERENCES second (id)",
    "CREATE TABLE notes (id INT PRIMARY KEY, body TEXT, FULLTEXT KEY words (body)) COMMENT 'a;b'",
    "CREATE VIEW a_view AS SELECT paid.id FROM paid JOIN users ON users.id = paid.id",
    # What was made under another character set keeps it.
    "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE PROCEDURE fill(IN n INT) BEGIN DECLARE i INT DEFAULT 0; -- a comment; // \n"
    " WHILE i < n DO INSERT INTO log VALUES (i, NOW()); SET i = i + 1; END WHILE; END",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM log WHERE id < 0",
    "CREATE EVENT never ON SCHEDULE AT '2037-01-01' ON COMPLETION PRESERVE DISABLE DO SELECT 1",
    "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "CREATE TABLE contracts (id INT PRIMARY KEY, price INT) WITH SYSTEM VERSIONING",
    "INSERT INTO contracts VALUES (1, 10), (2, 20)",
    "UPDATE contracts SET price = 11 WHERE id = 1",
    "DELETE FROM contracts WHERE id = 2",
)
"""After `changes_mariadb.SCHEMA`."""

SQLITE = (
    "CREATE TABLE kinds (id INTEGER PRIMARY KEY, number REAL, body TEXT, raw BLOB,"
    " twice INTEGER AS (id * 2) VIRTUAL, thrice INTEGER AS (id * 3) STORED)",
    f"INSERT INTO kinds (number, body, raw) VALUES (0.1, '{UNICODE.replace(chr(39), chr(39) * 2)}',"
    f" X'{EVERY_BYTE.hex()}')",
    "INSERT INTO kinds (body) VALUES ('nul' || char(0) || 'nul')",
    "CREATE TABLE strictly (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID",
    "INSERT INTO strictly VALUES ('a', 1.5), ('b', X'00')",
    'CREATE TABLE "Odd ""name"" of %s:x" (";" TEXT)',
    'INSERT INTO "Odd ""name"" of %s:x" VALUES (NULL)',
    "INSERT INTO users (name) SELECT 'user ' || value FROM (WITH RECURSIVE n(value) AS (SELECT 1"
    " UNION ALL SELECT value + 1 FROM n WHERE value < 500) SELECT value FROM n)",
    "INSERT INTO alembic_version VALUES ('abc123')",
    "CREATE VIRTUAL TABLE words USING fts5 (body)",
    "INSERT INTO words VALUES ('a fat cat')",
    "PRAGMA user_version = 42",
    "PRAGMA application_id = 4242",
)
"""After `changes_sqlite.SCHEMA`."""
