"""A relay to a server that takes connections of an SSH server's logins alone.

On one machine every program reaches every loopback address. This stands for the network behind a
bastion: whoever connects is looked up in /proc, and shut out unless it belongs to the sshd. Linux
only.
"""

import contextlib
import socket
import threading
from pathlib import Path

from tests.support.ssh_server import SshServer

ADDRESS = "127.0.0.77"


class Gatekeeper:
    """Listens on an address of its own; `refused` counts those who were not let in."""

    def __init__(self, host: str, port: int, *servers: SshServer) -> None:
        self._to = (host, port)
        self._servers = servers
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = int(self._listener.getsockname()[1])
        self.host = ADDRESS
        self.refused = 0
        self.let_in = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                return
            if not self._is_known(address):
                self.refused += 1
                client.close()
                continue
            self.let_in += 1
            server = socket.create_connection(self._to)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=_relay, args=ends, daemon=True).start()

    def _is_known(self, address: tuple[str, int]) -> bool:
        inode = _inode_of(address, (ADDRESS, self.port))
        return inode is not None and any(
            _holds(pid, inode) for server in self._servers for pid in server.sessions()
        )


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()  # the other relay, which this wakes, closes the other one


def _inode_of(local: tuple[str, int], remote: tuple[str, int]) -> str | None:
    """Return the inode of the socket at the other end of a connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if (words[1], words[2]) == (_written(local), _written(remote)):
            return words[9]
    return None


def _written(address: tuple[str, int]) -> str:
    """Return an address as the kernel writes it there."""
    number = int.from_bytes(socket.inet_aton(address[0]), "little")
    return f"{number:08X}:{address[1]:04X}"


def _holds(pid: int, inode: str) -> bool:
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(entry.readlink()) == f"socket:[{inode}]":
                    return True
    return False
