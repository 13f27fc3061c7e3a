"""The roads of one command to far hosts: what is reached how, shared, closed at the end.

paramiko is imported when a road is first travelled: commands without SSH never pay for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrate.adapters.processes import HERE, Launcher
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.tunnels import HERE as LOOPBACK
from orchestrate.adapters.tunnels import Tunnel
from orchestrate.dialects.networks import Network
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.far_hosts import FarHost, FarPython
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

if TYPE_CHECKING:
    from orchestrate.adapters.ssh_connections import Connection, SshConnections


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """How one database is reached: its URL as it is written at each place that reaches it."""

    declared: DatabaseUrl
    project: DatabaseUrl
    """Where env.py runs."""
    commands: DatabaseUrl
    """On this machine, with the project's driver."""
    programs: DatabaseUrl
    """On this machine, by the server's own programs."""
    tunnel: Tunnel | None = None
    address: str | None = None
    """What env.py's parts of the URL have for a host, if not the URL's own."""


class Roads:
    """SSH connections and tunnels, at most one for each login and each far port."""

    def __init__(self, *, ask: Callable[[str], str] | None, redactor: Redactor) -> None:
        self._ask = ask
        self._redactor = redactor
        self._lock = threading.Lock()
        self._connections: SshConnections | None = None
        self._tunnels: dict[tuple[FarHost, str, int], Tunnel] = {}

    def tunnel(self, through: FarHost, host: str, port: int) -> Tunnel:
        """Return the tunnel there; nothing is connected yet."""
        with self._lock:
            key = (through, host, port)
            if key not in self._tunnels:
                self._tunnels[key] = Tunnel(
                    through, host, port, connect=lambda: self._connection(through)
                )
            return self._tunnels[key]

    def to_database(
        self,
        url: DatabaseUrl,
        environment: Environment,
        *,
        network: Network | None,
        driver: str | None,
        far: FarPython | None,
    ) -> Road:
        """Return how a database is reached, through the environment's tunnel if it has one.

        The tunnel begins on this machine: a project behind SSH has the URL as it is declared.
        Raises `spec-invalid` where no tunnel can lead to what the URL says.
        """
        if environment.tunnel is None:
            return Road(declared=url, project=url, commands=url, programs=url)
        obstacle = "names a file" if network is None else network.obstacle(url, driver=driver)
        if network is None or obstacle is not None:
            raise OrchestrateError(
                "spec-invalid",
                f"no tunnel can lead to the database of {environment.name}: the URL {obstacle}",
                where=environment.where("tunnel"),
            )
        declared = environment.tunnel
        tunnel = self.tunnel(
            FarHost(host=declared.ssh, user=declared.user, port=declared.port),
            url.host or "",
            url.port or network.port or 0,
        )
        commands = network.forwarded(url, tunnel.port, driver=driver)
        return Road(
            declared=url,
            project=commands if far is None else url,
            commands=commands,
            programs=network.forwarded_for_programs(url, tunnel.port),
            tunnel=tunnel,
            address=LOOPBACK if far is None else None,
        )

    def launcher(self, place: FarPython | None, *, directory: str | None = None) -> Launcher:
        """Return what starts programs there, in its folder or one below; None is this machine."""
        if place is None:
            return HERE
        from orchestrate.adapters.far_processes import FarLauncher  # noqa: PLC0415  (the module)

        folder = place.directory
        if directory:
            folder = f"{folder}/{directory}" if folder and directory[0] != "/" else directory
        return FarLauncher(lambda: self._connection(place.host), folder)

    def close(self) -> None:
        """Close everything. Safe to repeat."""
        with self._lock:
            tunnels, self._tunnels = list(self._tunnels.values()), {}
            connections, self._connections = self._connections, None
        for tunnel in tunnels:
            tunnel.close()
        if connections is not None:
            connections.close()

    def _connection(self, place: FarHost) -> Connection:
        """Return a connection, made now if there is none. Raises `ssh-unreachable` and its kin."""
        with self._lock:
            if self._connections is None:
                self._connections = _connections(self._ask, self._redactor)
            connections = self._connections
        return connections.to(place)


def _connections(ask: Callable[[str], str] | None, redactor: Redactor) -> SshConnections:
    try:
        from orchestrate.adapters.ssh_connections import SshConnections  # noqa: PLC0415  (above)
    except ImportError as error:
        raise OrchestrateError(
            "ssh-unreachable",
            "SSH needs a package that is not installed",
            hint="Install it beside orchestrate: `pip install 'orchestrate[ssh]'`",
        ) from error
    return SshConnections(ask=ask, redactor=redactor)
