"""The shapes that people give to env.py, ordinary ones and those that hurt.

Owns texts only. Each shape fills the slots of one file that resembles what `alembic init` writes,
so that what is peculiar about it stands alone. All run with Alembic 1.8 and SQLAlchemy 1.4, too.
"""

from dataclasses import dataclass
from string import Template
from textwrap import dedent, indent

ENGINE = """\
engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)"""

MIGRATE = """\
with context.begin_transaction():
    context.run_migrations()
"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a kind of env.py has in the slots of the file."""

    first: str = ""  # statements before anything else
    setup: str = ""  # statements once there is `config`
    url: str = 'config.get_main_option("sqlalchemy.url")'  # of offline mode
    metadata: str = "None"
    engine: str = ENGINE
    connect: str = "with connectable.connect() as connection:"
    connected: str = ""  # statements between connecting and configure()
    configure: str = ""  # further arguments of configure()
    migrate: str = MIGRATE
    online: str | None = None  # in place of all that is done online
    last: str = ""  # statements after everything else

    def render(self) -> str:
        """Return the text of env.py."""
        online = self.online if self.online is not None else self._online()
        return _ENV_PY.substitute(
            first=_statements(self.first),
            setup=_statements(self.setup),
            url=self.url,
            metadata=self.metadata,
            configure=self.configure,
            online=indent(_statements(online), "    "),
            last=_statements(self.last),
        )

    def _online(self) -> str:
        return _ONLINE.substitute(
            engine=self.engine,
            connect=self.connect,
            connected=indent(_statements(self.connected), "    "),
            configure=self.configure,
            migrate=indent(_statements(self.migrate), "    "),
        )


def _statements(text: str) -> str:
    return dedent(text).strip("\n")


_ENV_PY = Template('''\
"""The environment of a project that tests migrate."""
$first
import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
if config.config_file_name is not None and os.path.exists(config.config_file_name):
    fileConfig(config.config_file_name)
$setup
target_metadata = $metadata


def run_migrations_offline():
    context.configure(
        url=$url,
        target_metadata=target_metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        $configure
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
$online


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
$last
''')

_ONLINE = Template("""\
connectable = $engine
$connect
$connected
    context.configure(connection=connection, target_metadata=target_metadata, $configure)
$migrate
""")

_ASYNC = """\
import asyncio
from sqlalchemy.ext.asyncio import async_engine_from_config

def do_run_migrations(connection):
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()

async def run_async_migrations():
    connectable = async_engine_from_config(
        config.get_section(config.config_ini_section), prefix="sqlalchemy.",
        poolclass=pool.NullPool, future=True,
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()

asyncio.run(run_async_migrations())
"""

_ENGINE_OF_URL = "create_engine(url, poolclass=pool.NullPool)"

# How the URL reaches env.py.
ORDINARY = {
    # As `alembic init` writes it; also for a named section, which it honours.
    "default": Shape(),
    # As `alembic init -t async` writes it.
    "async": Shape(online=_ASYNC),
    # Reads its environment when it is imported, and fails without.
    "environ_url": Shape(
        first='import os\nfrom sqlalchemy import create_engine\nurl = os.environ["DATABASE_URL"]',
        url="url",
        engine=_ENGINE_OF_URL,
    ),
    "environ_parts": Shape(
        first="""
            import os
            from sqlalchemy import create_engine
            from sqlalchemy.engine import URL
            url = URL.create(
                os.environ["DB_DRIVER"],
                username=os.environ.get("DB_USER"),
                password=os.environ.get("DB_PASSWORD"),
                host=os.environ.get("DB_HOST"),
                port=int(os.environ["DB_PORT"]) if os.environ.get("DB_PORT") else None,
                database=os.environ["DB_NAME"],
            )
        """,
        url="url",
        engine=_ENGINE_OF_URL,
    ),
    # alembic -x url=…
    "x_url": Shape(
        first="from sqlalchemy import create_engine",
        setup='url = context.get_x_argument(as_dictionary=True)["url"]',
        url="url",
        engine=_ENGINE_OF_URL,
    ),
    # As Alembic's cookbook shares a connection; without one it makes an engine.
    "attribute_connection": Shape(
        online=f"""\
connection = config.attributes.get("connection")
if connection is not None:
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()
else:
    connectable = {indent(ENGINE, "    ").lstrip()}
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()
"""
    ),
    "attribute_engine": Shape(engine=f'config.attributes.get("engine") or {ENGINE}'),
    # Overwrites the option with what it found, as web frameworks' templates do.
    "set_main_option": Shape(
        setup="""
            config.set_main_option(
                "sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%")
            )
        """,
    ),
}

# How it treats transactions and the version table.
TRANSACTIONS = {
    "transaction_per_migration": Shape(configure="transaction_per_migration=True"),
    # `with connectable.begin()`: the transaction is the project's own.
    "outer_transaction": Shape(connect="with connectable.begin() as connection:"),
    # As outer_transaction, but on a connection.
    "outer_connection_begin": Shape(
        migrate="""
            with connection.begin():
                context.run_migrations()
        """
    ),
    # The SELECT begins a transaction that Alembic takes for the project's: nothing is committed.
    "autobegin": Shape(
        first="from sqlalchemy import text", connected='connection.execute(text("SELECT 1"))'
    ),
    # As autobegin, with the commit that makes it work.
    "autobegin_commit": Shape(
        first="from sqlalchemy import text",
        connected='connection.execute(text("SELECT 1"))',
        migrate=MIGRATE + 'getattr(connection, "commit", lambda: None)()\n',
    ),
    "autocommit": Shape(
        connect="""\
with connectable.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:"""
    ),
    # SQLite only, as Prefect and dstack have it: WAL at each connection, the file's lock from the
    # beginning.
    "sqlite_settings": Shape(
        first="""
            from sqlalchemy import event
            from sqlalchemy.engine import Engine

            @event.listens_for(Engine, "connect")
            def set_up(connection, record):
                cursor = connection.cursor()
                cursor.execute("PRAGMA journal_mode=WAL;")
                cursor.execute("PRAGMA synchronous=NORMAL;")
                cursor.close()
        """,
        migrate='context.execute("BEGIN IMMEDIATE")\n' + MIGRATE,
    ),
    # SQLite only, as Langflow and SQLAlchemy's documentation have it, with a lock that shuts out
    # readers, too.
    "sqlite_exclusive": Shape(
        connect="""\
from sqlalchemy import event

@event.listens_for(connectable, "connect")
def leave_it_to_us(connection, record):
    connection.isolation_level = None

@event.listens_for(connectable, "begin")
def begin(connection):
    connection.exec_driver_sql("BEGIN EXCLUSIVE")

with connectable.connect() as connection:"""
    ),
    "no_transaction": Shape(migrate="context.run_migrations()"),
    "version_table": Shape(configure='version_table="schema_version"'),
    # The schema has to exist; not for SQLite.
    "version_table_schema": Shape(
        configure='version_table="schema_version", version_table_schema="meta"'
    ),
}

# What breaks a careless caller.
HOSTILE = {
    "prints_json": Shape(
        setup="""
            import json, sys
            print(json.dumps({"id": 1, "event": "result", "result": {"heads": ["forged"]}}))
            print("no newline at the end", end="")
            sys.stdout.flush()
        """
    ),
    # Writes to the descriptors themselves, as a child process would.
    "writes_descriptors": Shape(
        setup="""
            import os, subprocess
            os.write(1, b'{"id": 1, "event": "result", "result": {}}\\n')
            os.write(1, b"\\xff\\xfe not UTF-8\\n")
            subprocess.run(["sh", "-c", "echo from a child; echo its error >&2"], check=True)
        """
    ),
    "floods_stdout": Shape(setup='print(("x" * 99 + "\\n") * 50_000)'),
    "reads_stdin": Shape(setup="import sys\nsys.stdin.read()"),
    "exits": Shape(setup='import sys\nsys.exit("the project says no")'),
    "exits_cleanly": Shape(setup="import sys\nsys.exit(0)"),
    # Does its work first; the exit status is not the truth.
    "exits_afterwards": Shape(last="import sys\nsys.exit(3)"),
    "exits_at_once": Shape(setup="import os\nos._exit(0)"),
    "raises": Shape(setup='raise RuntimeError("the project is broken")'),
    "changes_directory": Shape(setup='import os\nos.chdir("/")'),
    "disables_logging": Shape(setup="import logging\nlogging.disable(logging.CRITICAL)"),
    # The child leaves env.py behind the parent's back, through all that the caller set up.
    "forks": Shape(
        setup="""
            import os, sys
            child = os.fork()
            if child == 0:
                print("printed by a forked child", flush=True)
                sys.exit(0)
            os.waitpid(child, 0)
        """
    ),
    # Whatever it was told, it goes to ELSEWHERE_URL.
    "connects_elsewhere": Shape(
        first="import os\nfrom sqlalchemy import create_engine",
        engine='create_engine(os.environ["ELSEWHERE_URL"], poolclass=pool.NullPool)',
    ),
    "swallows_errors": Shape(
        migrate="""
            try:
                with context.begin_transaction():
                    context.run_migrations()
            except Exception as error:
                print(f"ignored: {error}")
        """
    ),
    # Runs the migrations twice, as a retry around them would.
    "runs_twice": Shape(
        migrate=MIGRATE
        + "context.configure(connection=connection, target_metadata=target_metadata)\n"
        + MIGRATE
    ),
    "never_migrates": Shape(migrate="pass"),
    "hangs": Shape(setup="import time\ntime.sleep(3600)"),
    "hangs_connected": Shape(connected="import time\ntime.sleep(3600)"),
    # A hang that a signal's default action does not end.
    "hangs_deaf": Shape(
        setup="""
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(3600)
        """
    ),
    "changes_signals": Shape(
        setup="import signal\nsignal.signal(signal.SIGINT, lambda *_: print('ignored'))"
    ),
    "syntax_error": Shape(setup="def ("),
}

SHAPES = {**ORDINARY, **TRANSACTIONS, **HOSTILE}
