"""OpenSSH servers on the loopback address, with keys of their own, and the home folder of a client.

Owns their folders, ports and processes. Each runs as whoever runs the tests and lets nobody else
in. Nothing survives pytest: see `reaper`.
"""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import reaper
from tests.support.servers import HOST, INSTALL, MissingServerError, free_port

PROC = Path("/proc")


class SshServer:
    """A running sshd."""

    def __init__(self, *, account: str | None = None) -> None:
        self.program = _find_program()
        self.folder = Path(tempfile.mkdtemp(prefix="orchestrate-sshd-"))
        self.port = free_port()
        self.user = account or getpass.getuser()
        self.authorized = self.folder / "authorized_keys"
        self.authorized.touch()
        self.host_key = make_key(self.folder / "host_key")
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper = subprocess.Popen(
            [sys.executable, reaper.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # so that Ctrl-C on pytest does not end it first
        )
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Return the number of the listening process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether it takes logins."""
        return self._process is not None and self._process.poll() is None

    @property
    def known(self) -> str:
        """Return the server's line for `known_hosts`."""
        return f"[{HOST}]:{self.port} {public(self.host_key)}\n"

    def start(self, *, patience: float = 20) -> None:
        """Start it, and return when it answers."""
        (self.folder / "config").write_text(
            "\n".join(
                [
                    f"Port {self.port}",
                    f"ListenAddress {HOST}",
                    f"HostKey {self.host_key}",
                    f"AuthorizedKeysFile {self.authorized}",
                    "PidFile none",
                    "StrictModes no",  # the folders of temporary files belong to everybody
                    "UsePAM no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PermitRootLogin prohibit-password",
                    "UseDNS no",
                    "Subsystem sftp internal-sftp",
                    "",
                ]
            )
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.program), "-D", "-e", "-f", str(self.folder / "config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / "server.pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + patience
        while True:
            try:
                with socket.create_connection((HOST, self.port), timeout=5) as probe:
                    probe.recv(4)
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"sshd did not start:\n{self.log()}") from error
                time.sleep(0.02)
            else:
                return

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "log").read_text(errors="replace")

    def sessions(self) -> list[int]:
        """Return the processes of logins, and whatever they started."""
        return reaper.descendants(self.pid)

    def hang_up(self) -> None:
        """Cut every login; new ones are taken. What they started finds its input at an end."""
        reaper.kill_all([pid for pid in self.sessions() if _name(pid).startswith("sshd")])

    def stop(self) -> None:
        """End it with all logins; `start` starts it again, under the same port."""
        assert self._process is not None
        logins = self.sessions()
        reaper.kill_all([self.pid])
        self._process.wait()
        reaper.kill_all([pid for pid in logins if _name(pid).startswith("sshd")])

    def close(self) -> None:
        """End it for good and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()


class SshHome:
    """The home folder of somebody who logs in by SSH, with a key of his own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ssh = folder / ".ssh"
        self.ssh.mkdir(parents=True)
        self.key = make_key(self.ssh / "id_ed25519")

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables by which programs find it, and no agent of the developer's."""
        return {"HOME": str(self.folder), "SSH_AUTH_SOCK": ""}

    def config(self, text: str) -> None:
        """Write `~/.ssh/config`."""
        (self.ssh / "config").write_text(text)

    def knows(self, *servers: SshServer) -> None:
        """Write `known_hosts`."""
        (self.ssh / "known_hosts").write_text("".join(server.known for server in servers))

    def let_in(self, *servers: SshServer, key: Path | None = None) -> None:
        """Have servers take a key, and no other one."""
        for server in servers:
            server.authorized.write_text(public(key or self.key) + "\n")

    def host(self, name: str, server: SshServer, *lines: str) -> str:
        """Return a block of `~/.ssh/config`."""
        more = "".join(f"  {line}\n" for line in lines)
        return (
            f"Host {name}\n  HostName {HOST}\n  Port {server.port}\n  User {server.user}\n{more}\n"
        )


def make_key(path: Path, *, passphrase: str = "") -> Path:
    """Make a key, as people do."""
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


def public(key: Path) -> str:
    """Return the public half of a key."""
    return key.with_name(f"{key.name}.pub").read_text().strip()


@contextmanager
def ssh_agent(folder: Path, *keys: Path) -> Iterator[str]:
    """Run an agent that holds keys; yield its socket."""
    # A socket's path may have 108 bytes, and pytest's folders are deep.
    place = Path(tempfile.mkdtemp(prefix="orchestrate-agent-"))
    path = str(place / "socket")
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 20
        while not Path(path).exists():
            assert time.monotonic() < deadline, "the agent does not start"
            time.sleep(0.02)
        environ = {**os.environ, "SSH_AUTH_SOCK": path, "HOME": str(folder)}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=environ, check=True, timeout=20)
        yield path
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _find_program() -> Path:
    # It starts itself anew for each login, and wants to know its whole path for that.
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ["PATH"])
    if found is None or shutil.which("ssh-keygen") is None:
        raise MissingServerError(f"OpenSSH's server is not installed; run `{INSTALL}`")
    return Path(found).resolve()
