"""Changes of a SQLite schema, the way back, and what each has to be called."""

from tests.dialects.reading import Change

SCHEMA = (
    "CREATE TABLE users (id INTEGER NOT NULL, name VARCHAR(50) NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE orders (\n\tid INTEGER NOT NULL,\n\ttotal NUMERIC(10, 2) DEFAULT '0',"
    "\n\tuser_id INTEGER, -- who pays\n\tnote TEXT,\n\tPRIMARY KEY (id),"
    "\n\tCONSTRAINT fk_user FOREIGN KEY(user_id) REFERENCES users (id),"
    "\n\tCONSTRAINT ck_total CHECK (total >= 0)\n)",
    "CREATE INDEX ix_total ON orders (total)",
    "CREATE VIEW paid AS SELECT id, total FROM orders WHERE total > 0",
    "CREATE TRIGGER touch AFTER UPDATE ON orders BEGIN SELECT 1; END",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, PRIMARY KEY (version_num))",
)


def rebuilt(body: str) -> list[str]:
    """Return what Alembic's batch mode does: a copy under another name that takes the place."""
    return [
        "DROP VIEW paid",
        f"CREATE TABLE _alembic_tmp_orders ({body})",
        "INSERT INTO _alembic_tmp_orders (id) SELECT id FROM orders",
        "DROP TABLE orders",
        "ALTER TABLE _alembic_tmp_orders RENAME TO orders",
        "CREATE INDEX ix_total ON orders (total)",
        SCHEMA[3],
        SCHEMA[4],
    ]


COLUMNS = "id INTEGER NOT NULL, total NUMERIC(10, 2) DEFAULT '0', user_id INTEGER, note TEXT"
KEYS = (
    "PRIMARY KEY (id), CONSTRAINT fk_user FOREIGN KEY(user_id) REFERENCES users (id),"
    " CONSTRAINT ck_total CHECK (total >= 0)"
)
BACK = rebuilt(f"{COLUMNS}, {KEYS}")


def batch(name: str, old: str, new: str, *named: str) -> Change:
    """Return a change that only a copied table can have."""
    body = f"{COLUMNS}, {KEYS}"
    assert body.count(old) == 1, old
    return Change(name, rebuilt(body.replace(old, new)), BACK, named)


CHANGES = (
    Change(
        "table added",
        ["CREATE TABLE tags (id INTEGER PRIMARY KEY, label TEXT UNIQUE)"],
        ["DROP TABLE tags"],
        ["added table tags"],
    ),
    Change(
        "table with its index removed",
        ["DROP VIEW paid", "DROP TABLE orders"],
        [*SCHEMA[1:5]],
        ["removed table orders", "removed view paid"],
    ),
    Change(
        "half a batch",
        ["CREATE TABLE _alembic_tmp_orders (id INTEGER)"],
        ["DROP TABLE _alembic_tmp_orders"],
        ["added table _alembic_tmp_orders"],
    ),
    Change(
        "table renamed",
        ["ALTER TABLE users RENAME TO people"],
        ["ALTER TABLE people RENAME TO users"],
        ["added table people", "altered constraint orders.fk_user", "removed table users"],
    ),
    Change(
        "column added",
        ["ALTER TABLE orders ADD COLUMN paid_at TIMESTAMP"],
        ["ALTER TABLE orders DROP COLUMN paid_at"],
        ["added column orders.paid_at"],
    ),
    Change(
        "column added with a foreign key",
        ["ALTER TABLE orders ADD COLUMN owner INTEGER REFERENCES users(id) ON DELETE CASCADE"],
        ["ALTER TABLE orders DROP COLUMN owner"],
        ["added column orders.owner"],
    ),
    Change(
        "column removed",
        ["ALTER TABLE orders DROP COLUMN note"],
        ["ALTER TABLE orders ADD COLUMN note TEXT", *BACK],
        ["removed column orders.note"],
    ),
    Change(
        "column renamed",
        ["ALTER TABLE orders RENAME COLUMN note TO remark"],
        ["ALTER TABLE orders RENAME COLUMN remark TO note"],
        ["added column orders.remark", "removed column orders.note"],
    ),
    Change(
        "column renamed, with what uses it",
        ["ALTER TABLE orders RENAME COLUMN total TO amount"],
        ["ALTER TABLE orders RENAME COLUMN amount TO total"],
        [
            "added column orders.amount",
            "altered constraint orders.ck_total",
            "altered index orders.ix_total",
            "altered view paid",
            "removed column orders.total",
        ],
    ),
    batch("type", "NUMERIC(10, 2)", "NUMERIC(12, 2)", "altered column orders.total"),
    batch("default", "DEFAULT '0'", "DEFAULT '1'", "altered column orders.total"),
    batch("default removed", " DEFAULT '0'", "", "altered column orders.total"),
    batch("null", "note TEXT", "note TEXT NOT NULL DEFAULT ''", "altered column orders.note"),
    batch("collation", "note TEXT", "note TEXT COLLATE NOCASE", "altered column orders.note"),
    batch(
        "white space inside a literal",
        "DEFAULT '0'",
        "DEFAULT '0  -- not a comment'",
        "altered column orders.total",
    ),
    batch(
        "check of a column",
        "note TEXT",
        "note TEXT CHECK (length(note) < 9)",
        "altered column orders.note",
    ),
    batch("unique column", "note TEXT", "note TEXT UNIQUE", "altered column orders.note"),
    batch(
        "generated column",
        "note TEXT",
        "note TEXT GENERATED ALWAYS AS (id || 'x') VIRTUAL",
        "altered column orders.note",
    ),
    batch(
        "columns in another order",
        "user_id INTEGER, note TEXT",
        "note TEXT, user_id INTEGER",
        "altered column order orders",
    ),
    batch(
        "column in the middle",
        "user_id INTEGER,",
        "extra INT, user_id INTEGER,",
        "added column orders.extra",
    ),
    batch(
        "primary key",
        "PRIMARY KEY (id)",
        "PRIMARY KEY (id, user_id)",
        "added constraint orders.PRIMARY KEY(id, user_id)",
        "removed constraint orders.PRIMARY KEY(id)",
    ),
    batch(
        "autoincrement",
        "id INTEGER NOT NULL, total",
        "id INTEGER NOT NULL UNIQUE, total",
        "altered column orders.id",
    ),
    batch(
        "unique constraint",
        "PRIMARY KEY (id)",
        "PRIMARY KEY (id), CONSTRAINT uq_note UNIQUE (note)",
        "added constraint orders.uq_note",
    ),
    batch(
        "unique constraint without a name",
        "PRIMARY KEY (id)",
        "PRIMARY KEY (id), UNIQUE (note, user_id)",
        "added constraint orders.UNIQUE(note, user_id)",
    ),
    batch("check", "(total >= 0)", "(total > 0)", "altered constraint orders.ck_total"),
    batch(
        "check removed",
        ", CONSTRAINT ck_total CHECK (total >= 0)",
        "",
        "removed constraint orders.ck_total",
    ),
    batch(
        "foreign key removed",
        " CONSTRAINT fk_user FOREIGN KEY(user_id) REFERENCES users (id),",
        "",
        "removed constraint orders.fk_user",
    ),
    batch(
        "foreign key's rule",
        "REFERENCES users (id)",
        "REFERENCES users (id) ON DELETE CASCADE",
        "altered constraint orders.fk_user",
    ),
    batch(
        "foreign key deferred",
        "REFERENCES users (id)",
        "REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED",
        "altered constraint orders.fk_user",
    ),
    Change(
        "strict",
        ["DROP TABLE users", SCHEMA[0].replace("VARCHAR(50)", "TEXT") + " STRICT"],
        ["DROP TABLE users", SCHEMA[0]],
        ["altered column users.name", "altered table users"],
    ),
    Change(
        "without rowid",
        ["DROP TABLE users", SCHEMA[0] + " WITHOUT ROWID"],
        ["DROP TABLE users", SCHEMA[0]],
        ["altered table users"],
    ),
    Change(
        "index added",
        ["CREATE INDEX ix_user ON orders (user_id)"],
        ["DROP INDEX ix_user"],
        ["added index orders.ix_user"],
    ),
    Change(
        "index removed", ["DROP INDEX ix_total"], [SCHEMA[2]], ["removed index orders.ix_total"]
    ),
    Change(
        "index unique",
        ["DROP INDEX ix_total", "CREATE UNIQUE INDEX ix_total ON orders (total)"],
        ["DROP INDEX ix_total", SCHEMA[2]],
        ["altered index orders.ix_total"],
    ),
    Change(
        "index direction",
        ["DROP INDEX ix_total", "CREATE INDEX ix_total ON orders (total DESC)"],
        ["DROP INDEX ix_total", SCHEMA[2]],
        ["altered index orders.ix_total"],
    ),
    Change(
        "index partial",
        ["DROP INDEX ix_total", "CREATE INDEX ix_total ON orders (total) WHERE total > 0"],
        ["DROP INDEX ix_total", SCHEMA[2]],
        ["altered index orders.ix_total"],
    ),
    Change(
        "index over an expression",
        ["DROP INDEX ix_total", "CREATE INDEX ix_total ON orders (abs(total))"],
        ["DROP INDEX ix_total", SCHEMA[2]],
        ["altered index orders.ix_total"],
    ),
    Change(
        "view added",
        ["CREATE VIEW names AS SELECT name FROM users"],
        ["DROP VIEW names"],
        ["added view names"],
    ),
    Change(
        "view altered",
        ["DROP VIEW paid", SCHEMA[3].replace("> 0", "> 1")],
        ["DROP VIEW paid", SCHEMA[3]],
        ["altered view paid"],
    ),
    Change(
        "trigger added",
        ["CREATE TRIGGER t2 BEFORE DELETE ON users BEGIN SELECT 2; END"],
        ["DROP TRIGGER t2"],
        ["added trigger users.t2"],
    ),
    Change(
        "trigger altered",
        ["DROP TRIGGER touch", SCHEMA[4].replace("SELECT 1", "SELECT 2")],
        ["DROP TRIGGER touch", SCHEMA[4]],
        ["altered trigger orders.touch"],
    ),
    Change(
        "trigger of a view",
        ["CREATE TRIGGER t3 INSTEAD OF INSERT ON paid BEGIN SELECT 2; END"],
        ["DROP TRIGGER t3"],
        ["added trigger paid.t3"],
    ),
)

UNCHANGED = (
    "INSERT INTO users (name) VALUES ('a'), ('b')",
    "INSERT INTO orders (total, user_id) VALUES (3, 1)",
    "ANALYZE",
    "VACUUM",
    "REINDEX",
    "DELETE FROM orders",
    "DELETE FROM users",
    "INSERT INTO alembic_version VALUES ('a1')",
    "ALTER TABLE alembic_version ADD COLUMN other INTEGER",
)
