"""The small program that runs beside Alembic, at the other end of a runner.

One self-contained source file that imports only the standard library, alembic and sqlalchemy, and
runs on Python 3.8. Must not import anything of ours: where it runs, we are not installed.
"""
