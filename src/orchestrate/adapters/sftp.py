"""SFTP with strict host keys: fsspec's own file system takes any key of a host it does not know.

`~/.ssh/config` is understood as far as it says where a host is and how to log in there.
"""

from __future__ import annotations

import contextlib
import io
import shlex
from functools import partial
from pathlib import Path
from typing import Any, Final

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem  # type: ignore[import-untyped]

_CONNECT_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 120.0
"""A server that says nothing for so long is gone."""
_REQUESTS_AHEAD: Final = 128
"""Of 32 KiB each."""
_SYSTEM_KNOWN_HOSTS: Final = "/etc/ssh/ssh_known_hosts"


class StrictSFTP(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's file system, connected as `ssh -o StrictHostKeyChecking=yes -o BatchMode=yes`.

    Raises what paramiko raises.
    """

    renames_folders = True

    def _connect(self) -> None:
        config = _config().lookup(self.host)
        port = int(self.ssh_kwargs.get("port") or config.get("port", 22))
        client = paramiko.SSHClient()
        for path in _known_hosts(config):
            if path.is_file():
                client.load_system_host_keys(str(path))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        keys = [path for path in config.get("identityfile", []) if Path(path).is_file()]
        client.connect(
            config["hostname"],
            port=port,
            username=self.ssh_kwargs.get("username") or config.get("user"),
            # It takes several, whatever its stubs say.
            key_filename=keys or None,  # type: ignore[arg-type]
            sock=_through(config, port),
            timeout=_CONNECT_SECONDS,
            banner_timeout=_CONNECT_SECONDS,
            auth_timeout=_CONNECT_SECONDS,
        )
        self.client = client
        self.ftp = client.open_sftp()
        channel = self.ftp.get_channel()
        if channel is not None:
            channel.settimeout(_SILENCE_SECONDS)

    def close_connection(self) -> None:
        """Log out."""
        self.client.close()

    def mv(self, old: str, new: str, **_: Any) -> None:
        """Rename a file or a folder; a server that lacks OpenSSH's way is asked in the old one."""
        try:
            self.ftp.posix_rename(old, new)
        except OSError:
            self.ftp.rename(old, new)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        file = super()._open(path, mode, **kwargs)
        if "w" in mode:
            # Not to wait for the answer to each piece of 32 KiB: over a long line that takes hours.
            # What went wrong is told by a later piece, at the latest by the comparison of sizes.
            file.set_pipelined(True)
            file.discard = partial(_discard, file)
        else:
            # As far ahead as that, and no further: what nobody has read yet is held in memory.
            file.prefetch(max_concurrent_requests=_REQUESTS_AHEAD)
        return file


def _discard(file: Any) -> None:
    """Let go of a file whose server may be gone; closing it would send what is still held back."""
    file._wbuffer = io.BytesIO()  # noqa: SLF001  # paramiko has no other way
    try:
        file.close()
    finally:
        # Its finaliser would try once more, and complain on standard error.
        file._closed = True  # noqa: SLF001


def _config() -> paramiko.SSHConfig:
    path = Path.home() / ".ssh" / "config"
    if not path.is_file():
        return paramiko.SSHConfig()
    with path.open(encoding="utf-8", errors="replace") as file, contextlib.closing(file):
        return paramiko.SSHConfig.from_file(file)


def _known_hosts(config: Any) -> list[Path]:
    words = shlex.split(config.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
    return [Path(_SYSTEM_KNOWN_HOSTS), *(Path(word).expanduser() for word in words)]


def _through(config: Any, port: int) -> Any:
    """Return the connection by way of another host, where the configuration names one."""
    jump = config.get("proxyjump")
    command = config.get("proxycommand")
    if jump and jump != "none":
        command = shlex.join(["ssh", "-W", f"{config['hostname']}:{port}", jump])
    return paramiko.ProxyCommand(command) if command and command != "none" else None
