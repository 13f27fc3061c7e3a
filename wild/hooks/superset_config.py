"""The application's settings, as a deployment has them in its superset_config.py."""

import os

SECRET_KEY = "not-a-secret-of-anybody-1234567890123456"
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET__SQLALCHEMY_DATABASE_URI"]
