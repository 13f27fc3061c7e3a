"""Copies arrive whole under their names, or not at all; and everything says where it went wrong."""

import contextlib
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrate.adapters.copying import fingerprint
from orchestrate.adapters.destinations import Destination, open_destination
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError
from tests.support.sftp_server import SftpServer, serve

PLACES = ["folder", "memory", "sftp"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder of our own."""
    path = tmp_path / "home"
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return path


@pytest.fixture
def sftp(tmp_path: Path, home: Path) -> Iterator[SftpServer]:
    """Serve a folder to whoever has the key in `home`."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serve(folder, home) as server:
        yield server


@pytest.fixture(params=PLACES)
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    """Open an empty destination of each kind."""
    with ExitStack() as stack:
        place = "backups/nightly"
        if request.param == "memory":
            place = f"memory://{tmp_path.name}"
        elif request.param == "sftp":
            place = request.getfixturevalue("sftp").url("srv/backups")
        yield stack.enter_context(open_destination(place, root=tmp_path))


def write(destination: Destination, name: str, piece: bytes, times: int = 1) -> None:
    """Write a copy of so many equal pieces."""
    with destination.writing(name) as file:
        for _ in range(times):
            file.write(piece)


def interrupted(destination: Destination, name: str) -> None:
    """Begin to write, and be interrupted."""
    with destination.writing(name) as file:
        file.write(bytes(1 << 20))
        raise KeyboardInterrupt


def left(destination: Destination, tmp_path: Path) -> list[str]:
    """Return the names of all files of a destination."""
    folder = destination.path or tmp_path / "served"
    if folder.is_dir() and destination.location("").partition("://")[0] != "memory":
        return sorted(one.name for one in folder.rglob("*") if one.is_file())
    import fsspec  # type: ignore[import-untyped]

    return sorted(Path(one).name for one in fsspec.filesystem("memory").find(tmp_path.name))


def test_file(destination: Destination, tmp_path: Path) -> None:
    """What is written in pieces is read back, and has its name only at the end."""
    pieces = [os.urandom(1 << 20) for _ in range(3)] + [b"end"]
    destination.check()
    assert left(destination, tmp_path) == []
    with destination.writing("one.dump") as file:
        for piece in pieces:
            file.write(piece)
        assert destination.size("one.dump") is None
    assert left(destination, tmp_path) == ["one.dump"]
    assert destination.size("one.dump") == 3 * (1 << 20) + 3
    assert not destination.is_folder("one.dump")
    with destination.reading("one.dump") as file:
        assert b"".join(iter(lambda: file.read(1 << 20), b"")) == b"".join(pieces)
    with destination.fetching("one.dump") as path:
        assert path.read_bytes() == b"".join(pieces)
    destination.remove("one.dump")
    destination.remove("one.dump")
    assert destination.size("one.dump") is None
    assert left(destination, tmp_path) == []


def test_folder(destination: Destination, tmp_path: Path) -> None:
    """A folder of files comes back as it was."""
    with destination.placing("one.dir") as path:
        (path / "inner").mkdir(parents=True)
        (path / "toc").write_bytes(b"contents")
        (path / "inner" / "rows").write_bytes(bytes(70_000))
        made = fingerprint(path)
    assert destination.is_folder("one.dir")
    assert destination.size("one.dir") == made.bytes == 70_008
    with destination.fetching("one.dir") as path:
        assert fingerprint(path) == made
    destination.remove("one.dir")
    assert left(destination, tmp_path) == []


def test_nothing_left(destination: Destination, tmp_path: Path) -> None:
    """What fails in the middle leaves nothing, and a name is never given twice."""
    with pytest.raises(KeyboardInterrupt):
        interrupted(destination, "one.dump")
    assert left(destination, tmp_path) == []
    write(destination, "one.dump", b"first")
    with pytest.raises(OrchestrateError, match="there is something called one") as caught:
        write(destination, "one.dump", b"second")
    assert caught.value.code == "backup-failed"
    assert left(destination, tmp_path) == ["one.dump"]
    with destination.reading("one.dump") as file:
        assert file.read(100) == b"first"


def test_missing(destination: Destination) -> None:
    """A copy that is not there is broken, and says where it was looked for."""
    for opening in (destination.reading, destination.fetching):
        with pytest.raises(OrchestrateError) as caught, opening("gone.dump"):
            pass
        assert caught.value.code == "backup-broken"
        assert destination.location("gone.dump") in caught.value.message


def test_owner_alone(tmp_path: Path) -> None:
    """Nobody else may read what is in a folder of ours."""
    with open_destination("backups", root=tmp_path) as destination:
        destination.check()
        write(destination, "one.dump", b"x")
        assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "backups" / "one.dump").stat().st_mode & 0o777 == 0o600
        assert destination.location("one.dump") == str(tmp_path / "backups" / "one.dump")
        assert (destination.free_bytes() or 0) > 0


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the kernel refuse to make a file of ours larger."""
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk(tmp_path: Path) -> None:
    """A file that cannot grow ends the writing, is named and is removed."""
    with (
        open_destination("backups", root=tmp_path) as destination,
        largest_file(100_000),
        pytest.raises(OrchestrateError) as caught,
    ):
        write(destination, "one.dump", bytes(50_000), times=10)
    assert caught.value.code == "backup-failed"
    path = tmp_path / "backups" / "one.dump"
    assert caught.value.message == f"{path} cannot be written: File too large"
    assert list((tmp_path / "backups").iterdir()) == []


def test_full_disk_elsewhere(sftp: SftpServer, tmp_path: Path) -> None:
    """A server whose disk is full ends the writing, and keeps nothing."""
    sftp.capacity = 200_000
    with open_destination(sftp.url("backups"), root=tmp_path) as destination:
        with pytest.raises(OrchestrateError) as caught:
            write(destination, "one.dump", bytes(50_000), times=100)
        assert caught.value.code == "backup-failed"
        assert f"{sftp.url('backups')}/one.dump cannot be written: " in caught.value.message
        assert left(destination, tmp_path) == []


def test_gone_in_the_middle(sftp: SftpServer, tmp_path: Path) -> None:
    """A server that goes away leaves nothing under the name of a copy."""
    sftp.hang_up_after = 1_000_000
    with (
        open_destination(sftp.url("backups"), root=tmp_path) as destination,
        pytest.raises(OrchestrateError) as caught,
    ):
        write(destination, "one.dump", bytes(50_000), times=100)
    assert caught.value.code == "backup-failed"
    assert [one.name for one in (sftp.folder / "backups").iterdir()] == [".one.dump.part"]
    with open_destination(sftp.url("backups"), root=tmp_path) as destination:
        write(destination, "one.dump", b"whole")
        assert left(destination, tmp_path) == ["one.dump"]


def test_unknown_host(tmp_path: Path, home: Path) -> None:
    """A host whose key nobody has confirmed is not spoken to."""
    with (
        serve(tmp_path, home, trusted=False) as server,
        pytest.raises(OrchestrateError) as caught,
        open_destination(server.url("backups"), root=tmp_path),
    ):
        pass
    assert caught.value.code == "backup-impossible"
    assert "the host key of keeper@127.0.0.1" in caught.value.message
    assert caught.value.hint is not None
    assert "ssh-keyscan" in caught.value.hint
    assert not (home / ".ssh" / "known_hosts").exists()


def test_other_key(sftp: SftpServer, tmp_path: Path, home: Path) -> None:
    """A host with another key than the known one is not spoken to."""
    import paramiko

    other = paramiko.ECDSAKey.generate()
    line = f"[127.0.0.1]:{sftp.port} {other.get_name()} {other.get_base64()}\n"
    (home / ".ssh" / "known_hosts").write_text(line)
    with (
        pytest.raises(OrchestrateError, match="is not the one that is known") as caught,
        open_destination(sftp.url("backups"), root=tmp_path),
    ):
        pass
    assert caught.value.code == "backup-impossible"


def test_no_server(tmp_path: Path, home: Path) -> None:
    """A place that does not answer is named."""
    with (
        pytest.raises(OrchestrateError) as caught,
        open_destination("sftp://keeper@127.0.0.1:1/backups", root=tmp_path),
    ):
        pass
    assert caught.value.code == "backup-impossible"
    assert caught.value.message.startswith("sftp://keeper@127.0.0.1:1/backups cannot be reached: ")


def test_a_server_that_begins_nothing(
    sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lets us in and then says nothing is given up: for files, and for programs."""
    from orchestrate.adapters import ssh_connections
    from orchestrate.adapters.far_processes import FarLauncher

    monkeypatch.setattr(ssh_connections, "_START_SECONDS", 0.2)
    sftp.answers.clear()
    with (
        pytest.raises(OrchestrateError, match="no answer in time") as caught,
        open_destination(sftp.url("backups"), root=tmp_path),
    ):
        pass
    assert caught.value.code == "backup-impossible"
    connections = ssh_connections.SshConnections(ask=None, redactor=Redactor())
    place = FarHost(host="127.0.0.1", user="keeper", port=sftp.port)
    with contextlib.closing(connections):
        launcher = FarLauncher(lambda: connections.to(place), None)
        with pytest.raises(OrchestrateError, match="no answer in time") as caught:
            launcher.start(["true"], cwd=tmp_path)
    assert caught.value.code == "agent-failed"


def test_not_writable(sftp: SftpServer, tmp_path: Path) -> None:
    """A folder that cannot be written to is found out before anything is copied."""
    (tmp_path / "file").write_bytes(b"")
    (sftp.folder / "file").write_bytes(b"")
    for place in ("file/backups", sftp.url("file/backups")):
        with (
            open_destination(place, root=tmp_path) as destination,
            pytest.raises(OrchestrateError, match="copies cannot be kept") as caught,
        ):
            destination.check()
        assert caught.value.code == "backup-impossible"


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of place whose package is not there is named with the extra that brings it."""
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    monkeypatch.setitem(__import__("sys").modules, "paramiko", None)
    for name in ("sftp", "ssh_connections", "ssh_logins", "ssh_config", "ssh_keys"):
        module = f"orchestrate.adapters.{name}"
        monkeypatch.delitem(__import__("sys").modules, module, raising=False)
    for scheme, extra in (("s3", "s3"), ("sftp", "sftp")):
        with (
            pytest.raises(OrchestrateError) as caught,
            open_destination(f"{scheme}://bucket/backups", root=tmp_path),
        ):
            pass
        assert caught.value.code == "backup-impossible"
        assert f"pip install 'orchestrate[{extra}]'" in (caught.value.hint or "")
    with (
        pytest.raises(OrchestrateError, match="no copies can be kept at `nowhere://`"),
        open_destination("nowhere://bucket", root=tmp_path),
    ):
        pass
