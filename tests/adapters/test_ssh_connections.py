"""Logging in to real OpenSSH servers, and how it ends when that cannot be."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrate.adapters.far_processes import FarLauncher, FarProcess
from orchestrate.adapters.own_secrets import PASSPHRASE
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.ssh_connections import Connection, SshConnections
from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError
from tests.support.servers import HOST
from tests.support.ssh_server import SshHome, SshServer, make_key, public, ssh_agent

PLACE = FarHost(host="bastion")


@pytest.fixture
def server(ssh_server: SshServer, home: SshHome, monkeypatch: pytest.MonkeyPatch) -> SshServer:
    """Return a server that knows us and is known, as `bastion`."""
    monkeypatch.setenv("HOME", str(home.folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv(PASSPHRASE, raising=False)
    home.config(home.host("bastion", ssh_server))
    home.knows(ssh_server)
    home.let_in(ssh_server)
    return ssh_server


@pytest.fixture
def connections() -> Iterator[SshConnections]:
    found = SshConnections(ask=None, redactor=Redactor())
    yield found
    found.close()


@contextmanager
def running(
    connection: Connection, *command: str, folder: str | None = None
) -> Iterator[FarProcess]:
    """Run a program at the far end."""
    process = FarLauncher(lambda: connection, folder).start(command, cwd=".")
    try:
        yield process
    finally:
        process.end()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        process.wait(20)


def said(connection: Connection, *command: str) -> str:
    """Run a program at the far end and return what it prints."""
    with running(connection, *command, folder="/tmp") as process:
        process.stdin.close()
        text = process.stdout.read().decode()
        assert process.wait(20) == 0
    return text


def refusal(connections: SshConnections, place: FarHost = PLACE) -> OrchestrateError:
    with pytest.raises(OrchestrateError) as caught:
        connections.to(place)
    return caught.value


def test_one_login_is_shared_and_leaves_nothing(server: SshServer) -> None:
    """Whoever asks, at whatever moment, gets the same; after `close` no thread is left."""
    threads = threading.active_count()
    connections = SshConnections(ask=None, redactor=Redactor())
    found: list[Connection] = []
    askers = [
        threading.Thread(target=lambda: found.append(connections.to(PLACE))) for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len({id(one) for one in found}) == 1
    assert said(found[0], "echo", "it's $HOME; *").strip() == "it's $HOME; *"
    assert said(found[0], "pwd").strip() == "/tmp"
    connections.close()
    connections.close()
    assert found[0].lost is None
    for thread in threading.enumerate():
        if thread.name.startswith(("ssh-", "Thread-")) and thread is not threading.current_thread():
            thread.join(10)
    assert threading.active_count() == threads


def test_a_host_that_nobody_knows(
    server: SshServer, home: SshHome, connections: SshConnections
) -> None:
    (home.ssh / "known_hosts").write_text("# nothing\n")
    error = refusal(connections)
    assert error.code == "host-key-unknown"
    assert "SHA256:" in error.message
    assert error.hint is not None
    assert "`ssh bastion` records it" in error.hint
    assert f"ssh-keyscan -p {server.port} {HOST} >> {home.ssh}/known_hosts" in error.hint
    assert (home.ssh / "known_hosts").read_text() == "# nothing\n"


def test_a_host_with_another_key(
    server: SshServer, home: SshHome, connections: SshConnections, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other")
    line = f"[{HOST}]:{server.port} {public(other)}\n"
    (home.ssh / "known_hosts").write_text(f"\n{line}")
    error = refusal(connections)
    assert error.code == "host-key-changed"
    assert f"{home.ssh}/known_hosts:2 has ssh-ed25519 SHA256:" in error.message
    assert error.hint is not None
    assert f"`ssh-keygen -R '[{HOST}]:{server.port}'`" in error.hint
    # Also where the other one is of another kind than what the server has.
    (home.ssh / "known_hosts").write_text(line.replace("ssh-ed25519", "ecdsa-sha2-nistp256"))
    assert refusal(connections).code == "host-key-changed"
    (home.ssh / "known_hosts").write_text(f"@revoked * {public(server.host_key)}\n{server.known}")
    assert "is revoked" in refusal(connections).message


def test_hashed_names_and_an_alias(
    server: SshServer, home: SshHome, connections: SshConnections
) -> None:
    """As `ssh-keygen -H` leaves the file."""
    import subprocess

    subprocess.run(
        ["ssh-keygen", "-q", "-H", "-f", str(home.ssh / "known_hosts")],
        check=True,
        capture_output=True,
    )
    assert HOST not in (home.ssh / "known_hosts").read_text()
    assert connections.to(PLACE).alive
    (home.ssh / "known_hosts").write_text(f"gate {public(server.host_key)}\n")
    home.config(home.host("other", server, "HostKeyAlias gate"))
    assert connections.to(FarHost(host="other")).alive


def test_an_encrypted_key(
    server: SshServer, home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its passphrase is asked for once, or taken from a variable; without either it is told."""
    secret = "a pass phrase 'ü"
    make_key(home.key, passphrase=secret)
    home.let_in(server)
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return secret

    redactor = Redactor()
    connections = SshConnections(ask=ask, redactor=redactor)
    assert connections.to(PLACE).alive
    assert connections.to(FarHost(host=HOST, port=server.port)).alive
    connections.close()
    assert asked == [f"Passphrase of {home.key}"]
    assert redactor.redact(f"it is {secret}") == "it is ***"

    silent = SshConnections(ask=None, redactor=Redactor())
    error = refusal(silent)
    assert error.code == "ssh-login-refused"
    assert "is encrypted" in error.message
    assert error.hint == f"`ssh-add {home.key}` gives it to the agent; or set {PASSPHRASE}"
    monkeypatch.setenv(PASSPHRASE, "wrong")
    assert "does not open the key" in refusal(silent).message
    monkeypatch.setenv(PASSPHRASE, secret)
    assert silent.to(PLACE).alive
    silent.close()


def test_a_key_of_the_agent(
    server: SshServer,
    home: SshHome,
    connections: SshConnections,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The agent's keys come first; with `IdentitiesOnly` only those that are named."""
    held = make_key(tmp_path / "held")
    home.let_in(server, key=held)
    home.key.unlink()
    with ssh_agent(home.folder, held) as agent:
        home.config(home.host("bastion", server, "IdentitiesOnly yes"))
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        assert refusal(connections).message.endswith(
            "Offered: none: there is no key in ~/.ssh and none in an agent"
        )
        # Only its public half is here.
        half = tmp_path / "held.pub"
        home.config(home.host("bastion", server, "IdentitiesOnly yes", f"IdentityFile {half}"))
        assert connections.to(PLACE).alive
        monkeypatch.delenv("SSH_AUTH_SOCK")
        home.config(home.host("other", server, f"IdentityAgent {agent}"))
        assert connections.to(FarHost(host="other")).alive


def test_nobody_is_let_in_with_another_key(
    server: SshServer, home: SshHome, connections: SshConnections, tmp_path: Path
) -> None:
    home.let_in(server, key=make_key(tmp_path / "other"))
    error = refusal(connections)
    assert error.code == "ssh-login-refused"
    assert f"Offered: {home.key}" in error.message
    assert error.hint is not None
    assert "`ssh bastion true`" in error.hint


def test_through_two_hosts(
    server: SshServer,
    ssh_servers: Callable[[], SshServer],
    home: SshHome,
    connections: SshConnections,
) -> None:
    """`ProxyJump`, in a chain and by the jump host's own configuration; each key is checked."""
    middle, last = ssh_servers(), ssh_servers()
    home.knows(server, middle, last)
    home.let_in(server, middle, last)
    blocks = home.host("bastion", server) + home.host("middle", middle)
    home.config(
        blocks
        + home.host("chain", last, "ProxyJump bastion,middle")
        + home.host("own", last, "ProxyJump middle2")
        + home.host("middle2", middle, "ProxyJump bastion")
    )
    for name in ("chain", "own"):
        connection = connections.to(FarHost(host=name))
        assert said(connection, "echo", name).strip() == name
        port = said(connection, "sh", "-c", 'echo "$SSH_CONNECTION"').split()[3]
        assert int(port) == last.port
    # Each was logged in to, and from the one before it.
    assert "Accepted publickey" in middle.log()
    home.knows(server, last)
    connections.close()
    error = refusal(SshConnections(ask=None, redactor=Redactor()), FarHost(host="chain"))
    assert (error.code, str(middle.port) in error.message) == ("host-key-unknown", True)


def test_a_circle_of_jumps(server: SshServer, home: SshHome, connections: SshConnections) -> None:
    home.config("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    assert "in a circle" in refusal(connections, FarHost(host="a")).message


def test_a_proxy_command(server: SshServer, home: SshHome, connections: SshConnections) -> None:
    ssh = f"ssh -F {home.ssh}/config -o UserKnownHostsFile={home.ssh}/known_hosts"
    ssh += f" -i {home.key}"
    home.config(
        home.host("bastion", server)
        + home.host("behind", server, f"ProxyCommand {ssh} -W %h:%p bastion")
        + home.host("broken", server, "ProxyCommand echo nothing here >&2; exit 1")
    )
    assert said(connections.to(FarHost(host="behind")), "echo", "there").strip() == "there"
    error = refusal(connections, FarHost(host="broken"))
    assert error.code == "ssh-unreachable"
    assert "nothing here" in error.message


def test_a_server_that_forwards_nothing(
    server: SshServer, home: SshHome, connections: SshConnections
) -> None:
    """What it says is handed on, with where that is written."""
    options = "no-port-forwarding "
    server.authorized.write_text(options + public(home.key) + "\n")
    with pytest.raises(OrchestrateError, match="AllowTcpForwarding") as caught:
        connections.to(PLACE).open_forward(HOST, server.port)
    assert caught.value.code == "unreachable"
    assert connections.to(PLACE).alive


def test_nobody_there(server: SshServer, home: SshHome, connections: SshConnections) -> None:
    """A port where nothing listens, a name that nobody knows, a host that says nothing."""
    with socket.create_server((HOST, 0)) as mute:
        port = mute.getsockname()[1]
        home.config(
            "Host *\n  ConnectTimeout 1\nHost nowhere\n  HostName host.invalid\n"
            f"Host mute\n  HostName {HOST}\n  Port {port}\n"
            f"Host closed\n  HostName {HOST}\n  Port 1\n"
        )
        for name in ("nowhere", "mute", "closed"):
            error = refusal(connections, FarHost(host=name))
            assert error.code == "ssh-unreachable"
            assert error.message.startswith(f"{name} (")


def test_a_login_that_is_lost_is_made_anew(server: SshServer, connections: SshConnections) -> None:
    """Whatever waits on it is woken, and told why."""
    connection = connections.to(PLACE)
    with running(connection, "cat") as process:
        server.hang_up()
        assert process.stdout.read() == b""
        assert process.wait(20) == -signal.SIGKILL
        assert process.lost is not None
        assert process.lost.startswith("the connection to bastion: ")
    with pytest.raises(OrchestrateError) as caught:
        connection.open_session()
    assert caught.value.code == "ssh-lost"
    assert said(connections.to(PLACE), "echo", "back").strip() == "back"


def test_a_server_that_falls_silent_is_given_up(
    server: SshServer, home: SshHome, connections: SshConnections
) -> None:
    """Its kernel goes on to take what is sent, as one behind a dead line would not even do."""
    home.config(home.host("bastion", server, "ServerAliveInterval 1", "ServerAliveCountMax 1"))
    connection = connections.to(PLACE)
    with running(connection, "cat") as process:
        frozen = server.sessions()
        try:
            for one in frozen:
                os.kill(one, signal.SIGSTOP)
            assert process.stdout.read() == b""
            assert process.lost == "the connection to bastion: no answer for 1 s"
        finally:
            for one in frozen:
                os.kill(one, signal.SIGCONT)


def test_a_far_program_is_killed_with_what_it_started(
    server: SshServer, connections: SshConnections, tmp_path: Path
) -> None:
    """As a second Ctrl-C does; a program that never reads its input included."""
    connection = connections.to(PLACE)
    numbers = tmp_path / "numbers"
    line = f"sleep 1000 & echo $$ $! > {numbers}.part; mv {numbers}.part {numbers}; echo up; wait"
    with running(connection, "sh", "-c", line) as process:
        assert process.stdout.readline() == b"up\n"
        family = [int(word) for word in numbers.read_text().split()]
        assert process.poll() is None
        process.end()
        process.end()
        assert process.wait(20) == -signal.SIGKILL
        assert process.lost is None
    assert connection.alive
    deadline = time.monotonic() + 20
    while any(_state(one) != "Z" for one in family):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def test_a_program_that_is_not_there(server: SshServer, connections: SshConnections) -> None:
    connection = connections.to(PLACE)
    with running(connection, "no-such-program") as process:
        assert process.stdout.read() == b""
        assert b"no-such-program" in process.stderr.read()
        assert process.wait(20) == 127
