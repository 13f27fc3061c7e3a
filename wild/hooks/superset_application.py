"""Superset's env.py runs inside the application's context."""

from superset.app import create_app


def session(spec):
    return create_app().app_context()
