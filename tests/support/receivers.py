"""A real HTTP server that takes what apprise sends, or refuses, or never answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What was received, and where it listens."""

    port: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    """Set it to let requests that are never answered go."""

    def url(self, path: str = "hook") -> str:
        """Return apprise's URL; `hang` never answers, `refuse` answers with 500."""
        return f"json://localhost:{self.port}/{path}"

    @property
    def titles(self) -> list[str]:
        """Return the titles of what was received, in order."""
        return [one["title"] for one in self.messages]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/hang"):
                receiver.silent.wait(60)
                return
            refused = self.path.startswith("/refuse")
            if not refused:
                receiver.messages.append(json.loads(body))
            self.send_response(500 if refused else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()
