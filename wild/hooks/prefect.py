"""Prefect's env.py asks for an AnyIO worker thread to run in."""

import contextlib

import anyio
from alembic.script import ScriptDirectory


@contextlib.contextmanager
def around(config, spec):
    run_env = ScriptDirectory.run_env

    def run_env_in_worker(script):
        async def main():
            await anyio.to_thread.run_sync(run_env, script)

        anyio.run(main)

    ScriptDirectory.run_env = run_env_in_worker
    try:
        yield
    finally:
        ScriptDirectory.run_env = run_env
