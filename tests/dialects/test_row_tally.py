"""Rows are counted in the text of a copy, however it is cut into pieces."""

from __future__ import annotations

import pytest

from orchestrate.dialects.row_tally import RowTally

COPY = b"""/*M!999999\\- enable the sandbox mode */
-- MariaDB dump
DROP TABLE IF EXISTS `a b``c`;
CREATE TABLE `a b``c` (
  `id` int(11) NOT NULL,
(
) ENGINE=InnoDB;
LOCK TABLES `a b``c` WRITE;
/*!40000 ALTER TABLE `a b``c` DISABLE KEYS */;
INSERT INTO `a b``c` VALUES
(1,'x\\n(y',2),
(2,NULL,4),
(3,');\\nINSERT INTO `z` VALUES\\n(1)',6);
INSERT INTO `a b``c` VALUES
(4,'',8);
/*!40000 ALTER TABLE `a b``c` ENABLE KEYS */;
UNLOCK TABLES;
LOCK TABLES `empty` WRITE;
UNLOCK TABLES;
DELIMITER ;;
/*!50003 TRIGGER tr BEFORE INSERT ON empty FOR EACH ROW
INSERT INTO `empty` VALUES
(1),
(2)
*/;;
DELIMITER ;
LOCK TABLES `past` WRITE;
INSERT INTO `past` (`id`, row_start, row_end) VALUES (1,'2026-11-22','2026-11-22'),
(2,'2026-11-22','2038-01-19');
UNLOCK TABLES;
LOCK TABLES `last` WRITE;
INSERT INTO `last` VALUES
(1),
(2);
UNLOCK TABLES;
DELIMITER ;;
CREATE PROCEDURE `p`()
BEGIN
/*
DELIMITER ;
INSERT INTO `empty` VALUES
(1),
(2);
*/
INSERT INTO `last` VALUES
(1);
END
;;
DELIMITER ;
-- Dump completed on 2026-11-22
"""


@pytest.mark.parametrize("size", [*range(1, 80), 4096, len(COPY)])
def test_pieces_of_any_size_tell_the_same(size: int) -> None:
    tally = RowTally()
    for start in range(0, len(COPY), size):
        tally.take(COPY[start : start + size])
    assert tally.rows() == {"a b`c": 4, "empty": 0, "last": 2}


def test_rows_on_one_line_are_not_told() -> None:
    """As MySQL's own program writes them."""
    tally = RowTally()
    tally.take(b"\nLOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES (1),(2);\nUNLOCK TABLES;\n")
    assert tally.rows() == {}


def test_long_rows_are_cut_anywhere() -> None:
    row = b"('" + b"x" * 100_000 + b"')"
    copy = (
        b"\nLOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES\n" + b",\n".join([row] * 30) + b";\n--"
    )
    tally = RowTally()
    for start in range(0, len(copy), 65_536):
        tally.take(copy[start : start + 65_536])
    assert tally.rows() == {"t": 30}
