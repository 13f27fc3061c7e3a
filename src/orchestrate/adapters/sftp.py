"""SFTP with strict host keys: fsspec's own file system takes any key of a host it does not know.

The connection is made as every other one by SSH is (`ssh_connections`).
"""

from __future__ import annotations

import io
from functools import partial
from typing import Any, Final

from fsspec.implementations.sftp import SFTPFileSystem  # type: ignore[import-untyped]

from orchestrate.adapters.own_secrets import own_secrets
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.ssh_connections import SshConnections
from orchestrate.domain.far_hosts import FarHost

_SILENCE_SECONDS: Final = 120.0
"""A server that says nothing for so long is gone."""
_REQUESTS_AHEAD: Final = 128
"""Of 32 KiB each."""


class StrictSFTP(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's file system over a connection of ours. Raises our errors and paramiko's."""

    renames_folders = True

    def _connect(self) -> None:
        place = FarHost(
            host=self.host,
            user=self.ssh_kwargs.get("username"),
            port=self.ssh_kwargs.get("port"),
        )
        # Nobody is there to be asked: a copy may be made at night.
        self.connections = SshConnections(ask=None, redactor=Redactor(own_secrets()))
        try:
            self.ftp = self.connections.to(place).open_sftp()
        except BaseException:
            self.connections.close()
            raise
        self.client = self.ftp
        channel = self.ftp.get_channel()
        if channel is not None:
            channel.settimeout(_SILENCE_SECONDS)

    def close_connection(self) -> None:
        """Log out."""
        self.connections.close()

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
