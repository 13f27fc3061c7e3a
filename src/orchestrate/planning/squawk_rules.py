"""Which of squawk's remarks are told: not those that our own rules make, with more facts. Pure."""

from __future__ import annotations

from typing import Final

COVERED: Final = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-serial-primary-key-field",
        "ban-concurrent-index-creation-in-transaction",
        "ban-drop-column",
        "ban-drop-table",
        "ban-uncommitted-transaction",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "transaction-nesting",
    }
)
"""What our own rules say, knowing how large the table is and what the column's type was.

The last ones are about `BEGIN` and `COMMIT`, which Alembic writes.
"""

_TASTE: Final = (
    "prefer-",
    "require-timeout-settings",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-table-schema",
    "ban-char-field",
)
"""How one might write it as well; Alembic writes what the models say, the spec has timeouts."""


def is_told(rule: str, *, configured: bool) -> bool:
    """Return whether a remark of squawk's is worth telling.

    With a `.squawk.toml` the project has chosen for itself, but for what is told already.
    """
    return rule not in COVERED and (configured or not rule.startswith(_TASTE))
