"""Small texts that several reports are made of."""

from __future__ import annotations

import pytest

from orchestrate.reports.tables import file_shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("migrations/versions/r001.py", "migrations/versions/r001.py"),
        ("/srv/.venv/lib/site-packages/shop/versions/r001.py", "…/versions/r001.py"),
        ("", ""),
    ],
)
def test_a_file_elsewhere_is_shown_by_its_end(path: str, shown: str) -> None:
    """A revision inside an installed package has a path that would fill the line."""
    assert file_shown(path) == shown
