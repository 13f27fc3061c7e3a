"""Superset's start makes the tables of its users, which its first revision refers to."""

import os

from superset.app import create_app

os.environ["SUPERSET_BASELINE"] = "yes"
create_app()
