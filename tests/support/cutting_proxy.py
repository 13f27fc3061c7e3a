"""A TCP relay that cuts the line in answer to one COMMIT, before or after the server gets it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Literal

# PostgreSQL's drivers also say READ COMMITTED.
_COMMIT = re.compile(rb"COMMIT(?!TED)")

Cut = Literal["before the server gets it", "after the server did it"]


class CuttingProxy:
    """Listens on a loopback port and relays to a server; `arm` it for the next COMMIT."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._armed: Cut | None = None
        self.refuse = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def armed(self) -> bool:
        """Return whether a COMMIT has still to come."""
        return self._armed is not None

    def arm(self, cut: Cut) -> None:
        """Cut the line at the next COMMIT."""
        self._armed = cut

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            server = socket.create_connection(self._server)
            for arguments in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._relay, args=arguments, daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if from_client and self._armed is not None and _COMMIT.search(data):
                    self._cut(source, sink, data)
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()  # the other relay, which this wakes, closes the other one

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        cut, self._armed = self._armed, None
        client.shutdown(socket.SHUT_RDWR)
        if cut == "after the server did it":
            server.sendall(data)
            server.settimeout(5)
            # The other relay may have taken the answer; either way the server has done it or will.
            with contextlib.suppress(OSError):
                server.recv(65536)
