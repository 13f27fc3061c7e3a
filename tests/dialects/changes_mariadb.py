"""Changes of a MariaDB schema, the way back, and what each has to be called."""

from tests.dialects.reading import Change

SCHEMA = (
    "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL)",
    "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, total DECIMAL(10,2) DEFAULT 0,"
    " user_id INT, note VARCHAR(100), placed DATE, KEY ix_user (user_id), KEY ix_total (total),"
    " CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id),"
    " CONSTRAINT ck_total CHECK (total >= 0))",
    "CREATE VIEW paid AS SELECT id, total FROM orders WHERE total > 0",
    "CREATE TRIGGER touch BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'",
    "CREATE FUNCTION twice(a INT) RETURNS INT DETERMINISTIC RETURN a * 2",
    "CREATE TABLE log (id INT, at DATE) PARTITION BY RANGE (year(at))"
    " (PARTITION p1 VALUES LESS THAN (2020), PARTITION p2 VALUES LESS THAN (2030))",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
)


def altered(name: str, there: str, back: str, *named: str) -> Change:
    """Return a change of the table `orders`."""
    return Change(name, [f"ALTER TABLE orders {there}"], [f"ALTER TABLE orders {back}"], named)


TOTAL = "MODIFY total DECIMAL(10,2) DEFAULT 0 AFTER id"
NOTE = "MODIFY note VARCHAR(100) AFTER user_id"

CHANGES = (
    Change(
        "table added",
        ["CREATE TABLE tags (id INT PRIMARY KEY, label VARCHAR(9) UNIQUE)"],
        ["DROP TABLE tags"],
        ["added table tags"],
    ),
    Change(
        "table removed",
        ["DROP TABLE log"],
        [SCHEMA[6]],
        ["removed table log"],
    ),
    Change(
        "table renamed",
        ["RENAME TABLE users TO people"],
        ["RENAME TABLE people TO users"],
        ["added table people", "altered constraint orders.fk_user", "removed table users"],
    ),
    Change(
        "engine",
        ["ALTER TABLE log ENGINE = Aria"],
        ["ALTER TABLE log ENGINE = InnoDB"],
        ["altered table log"],
    ),
    altered("table comment", "COMMENT 'what was bought'", "COMMENT ''", "altered table orders"),
    altered(
        "table collation",
        "DEFAULT COLLATE utf8mb4_bin",
        "DEFAULT COLLATE latin1_swedish_ci",
        "altered table orders",
    ),
    altered(
        "row format", "ROW_FORMAT = COMPRESSED", "ROW_FORMAT = DEFAULT", "altered table orders"
    ),
    altered(
        "column added", "ADD paid_at TIMESTAMP NULL", "DROP paid_at", "added column orders.paid_at"
    ),
    altered(
        "column between others", "ADD extra INT AFTER id", "DROP extra", "added column orders.extra"
    ),
    altered(
        "column removed",
        "DROP note",
        "ADD note VARCHAR(100) AFTER user_id",
        "removed column orders.note",
    ),
    altered(
        "column renamed",
        "RENAME COLUMN note TO remark",
        "RENAME COLUMN remark TO note",
        "added column orders.remark",
        "removed column orders.note",
    ),
    altered(
        "columns in another order",
        "MODIFY note VARCHAR(100) FIRST",
        NOTE,
        "altered column order orders",
    ),
    altered("type", "MODIFY total DECIMAL(12,2) DEFAULT 0", TOTAL, "altered column orders.total"),
    altered("length", "MODIFY note VARCHAR(101)", NOTE, "altered column orders.note"),
    altered(
        "unsigned",
        "MODIFY total DECIMAL(10,2) UNSIGNED DEFAULT 0",
        TOTAL,
        "altered column orders.total",
    ),
    altered("null", "MODIFY note VARCHAR(100) NOT NULL", NOTE, "altered column orders.note"),
    altered(
        "default",
        "ALTER total SET DEFAULT 1",
        "ALTER total SET DEFAULT 0",
        "altered column orders.total",
    ),
    altered("default removed", "ALTER total DROP DEFAULT", TOTAL, "altered column orders.total"),
    altered(
        "default of an expression",
        "ALTER note SET DEFAULT (concat('a', 'b'))",
        NOTE,
        "altered column orders.note",
    ),
    altered(
        "default of an empty text", "ALTER note SET DEFAULT ''", NOTE, "altered column orders.note"
    ),
    altered(
        "column collation",
        "MODIFY note VARCHAR(100) COLLATE utf8mb4_bin",
        NOTE,
        "altered column orders.note",
    ),
    altered(
        "column comment",
        "MODIFY note VARCHAR(100) COMMENT 'for us'",
        NOTE,
        "altered column orders.note",
    ),
    altered(
        "column check",
        "MODIFY note VARCHAR(100) CHECK (note <> '')",
        NOTE,
        "altered column orders.note",
    ),
    altered(
        "column invisible", "MODIFY note VARCHAR(100) INVISIBLE", NOTE, "altered column orders.note"
    ),
    altered(
        "generated column",
        "ADD twice INT AS (total * 2) STORED",
        "DROP twice",
        "added column orders.twice",
    ),
    Change(
        "generated expression",
        ["ALTER TABLE orders ADD g INT AS (total * 2) VIRTUAL"],
        ["ALTER TABLE orders DROP g"],
        ["added column orders.g"],
    ),
    altered(
        "on update",
        "ADD at TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP",
        "DROP at",
        "added column orders.at",
    ),
    altered(
        "auto increment",
        "MODIFY id INT NOT NULL",
        "MODIFY id INT NOT NULL AUTO_INCREMENT",
        "altered column orders.id",
    ),
    altered("enum", "ADD state ENUM('a', 'b')", "DROP state", "added column orders.state"),
    altered("json", "ADD data JSON", "DROP data", "added column orders.data"),
    altered(
        "primary key",
        "DROP PRIMARY KEY, ADD PRIMARY KEY (id, placed)",
        "DROP PRIMARY KEY, ADD PRIMARY KEY (id), MODIFY placed DATE",
        "altered column orders.placed",
        "altered constraint orders.PRIMARY",
    ),
    altered(
        "unique",
        "ADD CONSTRAINT uq_note UNIQUE (note)",
        "DROP INDEX uq_note",
        "added index orders.uq_note",
    ),
    altered(
        "check",
        "ADD CONSTRAINT ck_note CHECK (note <> '')",
        "DROP CONSTRAINT ck_note",
        "added constraint orders.ck_note",
    ),
    altered(
        "check altered",
        "DROP CONSTRAINT ck_total, ADD CONSTRAINT ck_total CHECK (total > 0)",
        "DROP CONSTRAINT ck_total, ADD CONSTRAINT ck_total CHECK (total >= 0)",
        "altered constraint orders.ck_total",
    ),
    Change(
        "foreign key's rule",
        [
            "ALTER TABLE orders DROP FOREIGN KEY fk_user",
            "ALTER TABLE orders ADD CONSTRAINT fk_user FOREIGN KEY (user_id)"
            " REFERENCES users (id) ON DELETE CASCADE",
        ],
        [
            "ALTER TABLE orders DROP FOREIGN KEY fk_user",
            "ALTER TABLE orders ADD CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id)",
        ],
        ["altered constraint orders.fk_user"],
    ),
    altered(
        "foreign key removed",
        "DROP FOREIGN KEY fk_user",
        "ADD CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id)",
        "removed constraint orders.fk_user",
    ),
    altered(
        "index added",
        "ADD INDEX ix_note (note)",
        "DROP INDEX ix_note",
        "added index orders.ix_note",
    ),
    altered(
        "index prefix",
        "ADD INDEX ix_note (note(10))",
        "DROP INDEX ix_note",
        "added index orders.ix_note",
    ),
    altered(
        "index removed",
        "DROP INDEX ix_total",
        "ADD INDEX ix_total (total)",
        "removed index orders.ix_total",
    ),
    altered(
        "index columns",
        "DROP INDEX ix_total, ADD INDEX ix_total (total, note)",
        "DROP INDEX ix_total, ADD INDEX ix_total (total)",
        "altered index orders.ix_total",
    ),
    altered(
        "index direction",
        "DROP INDEX ix_total, ADD INDEX ix_total (total DESC)",
        "DROP INDEX ix_total, ADD INDEX ix_total (total)",
        "altered index orders.ix_total",
    ),
    altered(
        "index unique",
        "DROP INDEX ix_total, ADD UNIQUE INDEX ix_total (total)",
        "DROP INDEX ix_total, ADD INDEX ix_total (total)",
        "altered index orders.ix_total",
    ),
    altered(
        "index ignored",
        "ALTER INDEX ix_total IGNORED",
        "ALTER INDEX ix_total NOT IGNORED",
        "altered index orders.ix_total",
    ),
    altered(
        "index comment",
        "DROP INDEX ix_total, ADD INDEX ix_total (total) COMMENT 'slow'",
        "DROP INDEX ix_total, ADD INDEX ix_total (total)",
        "altered index orders.ix_total",
    ),
    altered(
        "full text",
        "ADD FULLTEXT ft_note (note)",
        "DROP INDEX ft_note",
        "added index orders.ft_note",
    ),
    altered(
        "index renamed",
        "RENAME INDEX ix_total TO ix_t",
        "RENAME INDEX ix_t TO ix_total",
        "added index orders.ix_t",
        "removed index orders.ix_total",
    ),
    Change(
        "view added",
        ["CREATE VIEW names AS SELECT name FROM users"],
        ["DROP VIEW names"],
        ["added view names"],
    ),
    Change(
        "view altered",
        ["ALTER VIEW paid AS SELECT id, total FROM orders WHERE total > 1"],
        ["ALTER VIEW paid AS SELECT id, total FROM orders WHERE total > 0"],
        ["altered view paid"],
    ),
    Change(
        "view's check option",
        ["ALTER VIEW paid AS SELECT id, total FROM orders WHERE total > 0 WITH CHECK OPTION"],
        ["ALTER VIEW paid AS SELECT id, total FROM orders WHERE total > 0"],
        ["altered view paid"],
    ),
    Change(
        "trigger added",
        ["CREATE TRIGGER t2 AFTER DELETE ON users FOR EACH ROW SET @a = 1"],
        ["DROP TRIGGER t2"],
        ["added trigger users.t2"],
    ),
    Change(
        "trigger altered",
        ["DROP TRIGGER touch", SCHEMA[4].replace("'x'", "'x  y'")],
        ["DROP TRIGGER touch", SCHEMA[4]],
        ["altered trigger orders.touch"],
    ),
    Change(
        "function altered",
        ["DROP FUNCTION twice", SCHEMA[5].replace("* 2", "* 3")],
        ["DROP FUNCTION twice", SCHEMA[5]],
        ["altered function twice"],
    ),
    Change(
        "function's parameter",
        ["DROP FUNCTION twice", SCHEMA[5].replace("(a INT)", "(a BIGINT)")],
        ["DROP FUNCTION twice", SCHEMA[5]],
        ["altered function twice"],
    ),
    Change(
        "procedure added",
        ["CREATE PROCEDURE p(IN a INT, OUT b INT) SET b = a"],
        ["DROP PROCEDURE p"],
        ["added procedure p"],
    ),
    Change(
        "event added",
        ["CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM log"],
        ["DROP EVENT e"],
        ["added event e"],
    ),
    Change("sequence added", ["CREATE SEQUENCE s"], ["DROP SEQUENCE s"], ["added sequence s"]),
    Change(
        "partition added",
        ["ALTER TABLE log ADD PARTITION (PARTITION p3 VALUES LESS THAN (2040))"],
        ["ALTER TABLE log DROP PARTITION p3"],
        ["altered table log"],
    ),
    Change(
        "system versioning",
        ["ALTER TABLE users ADD SYSTEM VERSIONING"],
        ["ALTER TABLE users DROP SYSTEM VERSIONING"],
        ["altered table users"],
    ),
    Change(
        "defaults of the database",
        ["ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"],
        ["ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci"],
        ["altered database defaults"],
    ),
)

UNCHANGED = (
    "INSERT INTO users (name) VALUES ('a'), ('b')",
    "INSERT INTO orders (total, user_id) VALUES (3, 1)",
    "ANALYZE TABLE users, orders",
    "OPTIMIZE TABLE orders",
    "DELETE FROM orders",
    "DELETE FROM users",
    "ALTER TABLE orders AUTO_INCREMENT = 500",
    "INSERT INTO alembic_version VALUES ('a1')",
    "ALTER TABLE alembic_version ADD COLUMN other INTEGER, ADD INDEX ix_other (other)",
    "CREATE TABLE orchestrate_events (sequence BIGINT PRIMARY KEY)",
    "SET NAMES latin1",
    "FLUSH TABLES",
)
