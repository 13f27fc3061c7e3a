"""Tunnels: a port of this machine's loopback address that leads to a database behind SSH.

The port is there at once, the connection at its first use: whoever looks at several environments
waits for all of them together. A tunnel whose connection was lost is opened again by `open`, under
the same port. No thread of it keeps the process alive.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final

from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from orchestrate.adapters.ssh_connections import Connection

HERE: Final = "127.0.0.1"
_PIECE: Final = 65536


class Tunnel:
    """A way to one host and port, as the SSH server names them."""

    def __init__(
        self, through: FarHost, host: str, port: int, *, connect: Callable[[], Connection]
    ) -> None:
        self.through = through
        self.host = host
        self.there = port
        self._connect = connect
        self._connection: Connection | None = None
        self._refused: str | None = None
        self._listener = socket.create_server((HERE, 0))
        self.port = int(self._listener.getsockname()[1])
        self._closed = False
        threading.Thread(target=self._accept, daemon=True, name="tunnel").start()

    def __str__(self) -> str:
        return f"{self.host}:{self.there} through {self.through}"

    def open(self) -> None:
        """Connect where that is still to be done. Raises what connecting raises."""
        self._refused = None
        self._connection = self._connect()

    @property
    def trouble(self) -> OrchestrateError | None:
        """Return what is wrong with the tunnel since it was opened, None where all is well."""
        connection = self._connection
        if connection is not None and connection.lost is not None:
            return OrchestrateError(
                "ssh-lost",
                f"the SSH connection to {self.through} was lost: {connection.lost}",
                hint="What was not committed is not there. When the host is back, "
                "`orchestrate status` tells how far it came",
            )
        if self._refused is not None:
            return OrchestrateError(
                "unreachable",
                f"there is no way from {self.through} to {self.host}:{self.there}: {self._refused}",
                hint="The URL's host and port are those that the tunnel's host reaches",
            )
        return None

    def close(self) -> None:
        """Take no more connections; those that there are end with the SSH connection."""
        self._closed = True
        # A thread that waits in `accept` is not woken by `close` alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=[client], daemon=True, name="tunnel-client"
            ).start()

    def _serve(self, client: socket.socket) -> None:
        """Carry one connection, both ways, until both ends have closed it."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._connection
        try:
            if connection is None:
                raise OrchestrateError("unreachable", "the tunnel is not open yet")
            channel = connection.open_forward(self.host, self.there)
        except OrchestrateError as error:
            self._refused = error.message
            client.close()
            return
        back = threading.Thread(
            target=_carry_back, args=[channel, client], daemon=True, name="tunnel-back"
        )
        back.start()
        _carry_there(client, channel)
        back.join()
        channel.close()
        client.close()


def _carry_there(client: socket.socket, channel: paramiko.Channel) -> None:
    # Whatever the channel raises, it is at its end.
    with contextlib.suppress(Exception):
        while data := client.recv(_PIECE):
            channel.sendall(data)
    with contextlib.suppress(Exception):
        channel.shutdown_write()


def _carry_back(channel: paramiko.Channel, client: socket.socket) -> None:
    with contextlib.suppress(Exception):
        while data := channel.recv(_PIECE):
            client.sendall(data)
    # Where the other end has closed, or is lost, nothing more can be of use to it either.
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
