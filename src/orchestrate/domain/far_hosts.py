"""Hosts that are reached by SSH, as the spec names them."""

from __future__ import annotations

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FarHost:
    """One login. Equal ones share a connection."""

    host: str
    """As typed: `~/.ssh/config` may know it by another name."""
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{user}{self.host}{port}"

    @property
    def typed(self) -> str:
        """Return what a person types to log in there: `ssh -p 2222 deploy@app1`."""
        port = f"-p {self.port} " if self.port else ""
        user = f"{self.user}@" if self.user else ""
        return f"ssh {port}{user}{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarPython:
    """A Python interpreter on such a host."""

    host: FarHost
    python: str
    directory: str | None
    """Where it is started, there; None for the login's own folder."""

    def __str__(self) -> str:
        return f"{self.host.typed} {self.python}"
