"""A copy passes through whole or not at all, whatever ends in the middle, and no secret with it."""

import os
import resource
import select
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.copying import ask, dump, fingerprint, load, read_through
from orchestrate.adapters.destinations import Destination, open_destination
from orchestrate.adapters.redaction import Redactor
from orchestrate.dialects.copies import Program, Way, through_shell
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from tests.support.copies import copies_of, going_in, url_of, way_of
from tests.support.databases import Database, NewDatabase
from tests.support.servers import PASSWORD

PREFIXES = {
    "none": (),
    "env": ("env", "LANG=C"),
    # What SSH does: one text of all arguments, for a shell that reads them again.
    "ssh": ("sh", "-c", 'echo Welcome; cd /; exec sh -c "$*"', "fake-ssh"),
}


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Destination]:
    """Open a folder."""
    with open_destination("backups", root=tmp_path) as opened:
        yield opened


@pytest.fixture
def going(tmp_path: Path) -> Going:
    """Return what goes with programs that know one secret."""
    return Going(folder=tmp_path, redactor=Redactor([Secret("p4ssw0rd")]), timeout=20)


def program(command: str, **more: object) -> Program:
    """Return a program of the shell's."""
    return through_shell("copier", command, prefix=(), **more)  # type: ignore[arg-type]


def nothing_left(destination: Destination) -> bool:
    """Tell whether a folder has no file, under whatever name."""
    assert destination.path is not None
    return not destination.path.exists() or list(destination.path.iterdir()) == []


def failing(act: Callable[[], object]) -> OrchestrateError:
    """Return the error that something ends in."""
    with pytest.raises(OrchestrateError) as caught:
        act()
    return caught.value


def test_flat_memory(destination: Destination, going: Going) -> None:
    """A copy of a quarter of a gigabyte needs no more memory than a small one."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen: list[int] = []
    telling = Going(folder=going.folder, redactor=going.redactor, on_bytes=seen.append)
    size = 256 << 20
    made = dump(program(f"exec head -c {size} /dev/zero"), destination, "one", telling)
    assert made.bytes == size == seen[-1]
    load(program("exec cat >/dev/null"), destination, "one", going, code="restore-failed")
    assert read_through(destination, "one", trailer=None, going=going) == made
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # in KiB


def test_failed_program(destination: Destination, going: Going) -> None:
    """A program that fails after it wrote leaves nothing; its own words are told, no secret."""
    command = "echo content; echo 'error: password p4ssw0rd refused' >&2; echo bye >&2; exit 3"
    error = failing(lambda: dump(program(command), destination, "one", going))
    assert error.code == "backup-failed"
    assert error.message == "`copier` ended with status 3: error: password *** refused"
    assert error.details == {"status": 3, "output": ["error: password *** refused", "bye"]}
    assert nothing_left(destination)


def test_killed_program(destination: Destination, going: Going) -> None:
    """A program that is killed leaves nothing."""
    error = failing(lambda: dump(program("echo a; kill -9 $$"), destination, "one", going))
    assert error.message == "`copier` ended with signal 9"
    assert nothing_left(destination)


class Sign:
    """A pipe that tells when the last process that holds its other end is gone."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sign"
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def is_over(self) -> bool:
        """Wait for the end, and tell whether it came."""
        ready, _, _ = select.select([self._descriptor], [], [], 10)
        return bool(ready) and os.read(self._descriptor, 1) == b""

    def close(self) -> None:
        """Close our end."""
        os.close(self._descriptor)


@pytest.fixture
def sign(tmp_path: Path) -> Iterator[Sign]:
    """Return a sign for one test."""
    made = Sign(tmp_path)
    yield made
    made.close()


def test_late_program(destination: Destination, tmp_path: Path, sign: Sign) -> None:
    """A program that does not end is killed with all that it started."""
    impatient = Going(folder=tmp_path, redactor=Redactor(), timeout=0.5)
    command = f"echo a; sleep 600 3>{sign.path} & wait"
    error = failing(lambda: dump(program(command), destination, "one", impatient))
    assert error.message == "`copier` did not end within 0.5 s"
    assert sign.is_over()
    assert nothing_left(destination)


def test_interrupted(destination: Destination, tmp_path: Path, sign: Sign) -> None:
    """Leaving in the middle kills the program and leaves nothing."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    going = Going(folder=tmp_path, redactor=Redactor(), on_bytes=interrupt)
    with pytest.raises(KeyboardInterrupt):
        dump(program(f"exec cat /dev/zero 3>{sign.path}"), destination, "one", going)
    assert sign.is_over()
    assert nothing_left(destination)


def test_full_disk(tmp_path: Path, going: Going) -> None:
    """A disk that is full while a program writes ends both."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_destination("backups", root=tmp_path) as destination:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, limits[1]))
            error = failing(lambda: dump(program("exec cat /dev/zero"), destination, "one", going))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert error.code == "backup-failed"
        assert error.message.endswith("backups/one cannot be written: File too large")
        assert nothing_left(destination)


def test_talkative_program(destination: Destination, going: Going) -> None:
    """What a program prints beside a folder that it writes never stops it."""
    talking = 'seq 200000; mkdir "$ORCHESTRATE_COPY" && seq 9 >"$ORCHESTRATE_COPY"/rows'
    made = dump(program(talking, place="folder"), destination, "one", going)
    assert made.bytes == 18
    reading = program('seq 200000; cat "$ORCHESTRATE_COPY"/rows', place="folder")
    assert load(reading, destination, "one", going, code="restore-failed")[-1] == "9"


def test_missing_trailer(destination: Destination, going: Going) -> None:
    """A text without its last line is no copy, when it is made and when it is read."""
    error = failing(
        lambda: dump(program("echo begun", trailer=b"-- done"), destination, "one", going)
    )
    assert error.message == "`copier` ended well, and its copy lacks its last line"
    assert nothing_left(destination)
    dump(program("echo begun"), destination, "one", going)
    error = failing(lambda: read_through(destination, "one", trailer=b"-- done", going=going))
    assert error.code == "backup-broken"


def test_deaf_prefix(destination: Destination, going: Going) -> None:
    """What does not pass standard input on makes no copy, and is told what it lacks."""
    deaf = Program(name="copier", command=("sh", "-c", "exec sh </dev/null"), opening=Secret("x\n"))
    error = failing(lambda: dump(deaf, destination, "one", going))
    assert error.message == "`copier` behind `sh` was not reached"
    assert "docker compose exec -T" in (error.hint or "")
    assert nothing_left(destination)


def test_terminal_prefix(destination: Destination, going: Going) -> None:
    """A terminal in between, which changes line ends, is noticed before anything is kept."""
    terminal = through_shell("copier", "echo a", prefix=())
    through = Program(
        name="copier",
        command=("sh", "-c", "sh | sed -u 's/$/\\r/'"),
        opening=terminal.opening,
    )
    error = failing(lambda: dump(through, destination, "one", going))
    assert error.message.startswith("`copier` behind `sh` was not reached")
    assert nothing_left(destination)


def test_silent_prefix(
    destination: Destination, going: Going, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What neither answers nor ends is not waited for for ever."""
    monkeypatch.setattr("orchestrate.adapters.copy_programs._READY_SECONDS", 0.3)
    silent = Program(name="copier", command=("sleep", "600"), opening=Secret("x\n"))
    patient = replace(going, timeout=None)
    error = failing(lambda: dump(silent, destination, "one", patient))
    assert error.message == "`copier` behind `sleep` was not reached in time"
    assert nothing_left(destination)


def test_login_fails(destination: Destination, going: Going) -> None:
    """What a prefix says when it does not let us in is passed on."""
    refusing = Program(
        name="copier",
        command=("sh", "-c", "echo 'Permission denied (publickey)' >&2; exit 255"),
        opening=Secret("x\n"),
    )
    error = failing(lambda: dump(refusing, destination, "one", going))
    assert error.message == ("`copier` behind `sh` was not reached: Permission denied (publickey)")


def test_far_host(destination: Destination, going: Going) -> None:
    """A port that nobody listens on, behind a prefix, is told what it means there."""
    url = DatabaseUrl.parse("postgresql://app@127.0.0.1:1/shop")
    copies = dialect_for("postgresql").copies
    assert copies is not None
    near, far = (copies.dump(url, Way(prefix=prefix)) for prefix in ((), ("env",)))
    error = failing(lambda: dump(near, destination, "one", going))
    assert "Connection refused" in error.message
    assert error.hint is None
    error = failing(lambda: dump(far, destination, "one", going))
    assert "behind `prefix`" in (error.hint or "")


def test_missing_program(destination: Destination, going: Going) -> None:
    """A program that is not installed is named, in front of a prefix and behind one."""
    error = failing(lambda: dump(program("exec no-such-program"), destination, "one", going))
    assert error.message == "there is no `copier`"
    assert "`prefix`" in (error.hint or "")
    gone = through_shell("copier", "true", prefix=("no-such-prefix", "exec"))
    error = failing(lambda: ask(gone, going))
    assert (error.code, error.message) == (
        "backup-impossible",
        "`no-such-prefix` cannot be started: no such program",
    )


def test_early_end(destination: Destination, going: Going) -> None:
    """A program that ends before it has read everything is told by its status."""
    dump(program("exec head -c 9000000 /dev/zero"), destination, "one", going)
    error = failing(
        lambda: load(
            program("head -c 10 >/dev/null; echo 'no room' >&2; exit 4"),
            destination,
            "one",
            going,
            code="restore-failed",
        )
    )
    assert (error.code, error.message) == (
        "restore-failed",
        "`copier` ended with status 4: no room",
    )


def test_folder_fingerprint(tmp_path: Path) -> None:
    """A folder's hash is what `sha256sum` says of its files, sorted by path."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "toc").write_bytes(b"contents")
    (tmp_path / "inner" / "rows").write_bytes(bytes(1000))
    command = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    told = subprocess.run(["sh", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    made = fingerprint(tmp_path)
    assert (made.bytes, made.sha256) == (1008, told.stdout.decode().split()[0])


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("database", ["postgresql", "mariadb", "sqlite"], indirect=True)
def test_behind_prefix(
    database: Database,
    prefix: str,
    new_database: NewDatabase,
    destination: Destination,
    tmp_path: Path,
) -> None:
    """Whatever a prefix does with arguments, the copy is the same, and the password in none."""
    database.execute("CREATE TABLE t (a varchar(20))", "INSERT INTO t VALUES ('it''s'), ('a b')")
    copies = copies_of(database)
    words = (*PREFIXES[prefix], *way_of(database).prefix)
    way = Way(prefix=words, here=False)
    going = going_in(tmp_path, database)
    seen = watched(lambda: dump(copies.dump(url_of(database), way), destination, "copy", going))
    assert seen
    assert not any(PASSWORD in arguments for arguments in seen)
    other = new_database(database.kind)
    url = url_of(database).with_database(other.name)
    load(copies.load(url, way, owners="kept"), destination, "copy", going, code="restore-failed")
    assert other.rows("SELECT a FROM t ORDER BY a") == [("a b",), ("it's",)]
    listing = copies.listing(way)
    if listing is not None:
        load(listing, destination, "copy", going, code="backup-broken")


def watched(act: Callable[[], object]) -> set[str]:
    """Do something; return the argument lists of all processes that were begun meanwhile."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        act()
    finally:
        done.set()
        watcher.join()
    return seen


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_wrong_password(database: Database, destination: Destination, tmp_path: Path) -> None:
    """A refused login is told in the server's words, without the password."""
    secret = "Wr0ng-%:@'p4ss"
    assert database.server is not None
    url = DatabaseUrl.parse(database.server.url(database.name, password=secret))
    going = Going(folder=tmp_path, redactor=Redactor(url.secrets), timeout=20)
    error = failing(
        lambda: dump(copies_of(database).dump(url, way_of(database)), destination, "copy", going)
    )
    assert error.code == "backup-failed"
    assert "password authentication failed" in error.message or "Access denied" in error.message
    assert secret not in f"{error.message} {error.details}"
    assert nothing_left(destination)


@pytest.mark.parametrize("database", ["postgresql", "mariadb", "sqlite"], indirect=True)
def test_no_database(database: Database, destination: Destination, tmp_path: Path) -> None:
    """A database that is not there makes no copy, and is not made."""
    url = url_of(database).with_database(str(tmp_path / "gone.db"))
    going = going_in(tmp_path, database)
    error = failing(
        lambda: dump(copies_of(database).dump(url, way_of(database)), destination, "copy", going)
    )
    assert error.code == "backup-failed"
    assert not (tmp_path / "gone.db").exists()
    assert nothing_left(destination)


@pytest.mark.parametrize(
    ("server", "printed", "sentence"),
    [
        (
            "PostgreSQL 15.18",
            "pg_dump (PostgreSQL) 14.2 (Debian 14.2-1)",
            "pg_dump 14.2 is older than the server (PostgreSQL 15.18) and refuses to copy it",
        ),
        (
            "MariaDB 10.11.19",
            "mariadb-dump  Ver 10.19 Distrib 10.5.8-MariaDB, for debian-linux-gnu (x86_64)",
            "mariadb-dump 10.5.8 is older than MariaDB 10.11.19, and leaves out what is new",
        ),
        (
            "MariaDB 10.11.19",
            "mysqldump  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))",
            "mysqldump 8.0.36 is MySQL's, and leaves out what only MariaDB 10.11.19 has",
        ),
        (
            "MySQL 8.4.1",
            "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)",
            "mysqldump 8.0.36 is older than MySQL 8.4.1, and leaves out what is new",
        ),
        (
            "MariaDB 11.4.2",
            "mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)",
            None,
        ),
        ("MySQL 8.4.1", "mysqldump  Ver 8.4.2 for Linux on x86_64", None),
    ],
)
def test_client_version(
    server: str,
    printed: str,
    sentence: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program on PATH that is too old for the server is found out before it runs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    dialect = "postgresql" if server.startswith("PostgreSQL") else "mysql"
    dumping = "pg_dump" if dialect == "postgresql" else "mariadb-dump"
    for name, line in ((dumping, printed), ("pg_restore", ""), ("mariadb", "")):
        (folder / name).write_text(f"#!/bin/sh\nprintf %s {shlex.quote(line)}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    copies = dialect_for(dialect).copies
    assert copies is not None
    told = ask(copies.versions(Way()), Going(folder=tmp_path, redactor=Redactor()))
    assert told == printed
    assert copies.too_old(told, server) == sentence


def test_clients_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are not installed are named, with what to do."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    going = Going(folder=tmp_path, redactor=Redactor())
    for dialect, name in (("postgresql", "pg_dump"), ("mysql", "mysqldump")):
        copies = dialect_for(dialect).copies
        assert copies is not None
        error = failing(lambda copies=copies: ask(copies.versions(Way()), going))  # type: ignore[misc]
        assert (error.code, error.message) == ("backup-impossible", f"there is no `{name}`")
