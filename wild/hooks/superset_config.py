"""The application's settings, as a deployment has them in its superset_config.py."""

import os

SECRET_KEY = "not-a-secret-of-anybody-1234567890123456"
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET__SQLALCHEMY_DATABASE_URI"]

# The application makes its users' tables when it starts, unless told not to: here only the baseline
# does, so that looking at a database writes nothing to it.
FAB_CREATE_DB = "SUPERSET_BASELINE" in os.environ
