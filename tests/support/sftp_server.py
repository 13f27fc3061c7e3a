"""An SFTP server on the loopback address that serves one folder, for as long as a test needs it."""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

HOST = "127.0.0.1"
USER = "keeper"


class SftpServer:
    """A running server. `capacity` bytes may be written; `hang_up` ends every connection.

    While `answers` is not set, it lets people in and begins nothing for them.
    """

    def __init__(self, folder: Path, key: paramiko.PKey, known_client: paramiko.PKey) -> None:
        self.folder = folder
        self.key = key
        self.known_client = known_client
        self.capacity: int | None = None
        self.hang_up_after: int | None = None
        self.written = 0
        self.answers = threading.Event()
        self.answers.set()
        self._transports: list[paramiko.Transport] = []
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, folder: str) -> str:
        """Return the URL of a folder below the one that is served."""
        return f"sftp://{USER}@{HOST}:{self.port}/{folder}"

    def hang_up(self) -> None:
        """End every connection, as a cable that is pulled."""
        for transport in tuple(self._transports):  # not those that come because of it
            transport.close()

    def close(self) -> None:
        """End the server."""
        self.answers.set()
        # A thread that waits in `accept` is not woken by `close` alone.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        self.hang_up()
        for transport in self._transports:
            transport.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Login(self.known_client, self.answers))


class _Login(paramiko.ServerInterface):
    """Lets one key in, and nothing but SFTP."""

    def __init__(self, key: paramiko.PKey, answers: threading.Event) -> None:
        self._key = key
        self._answers = answers

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        self._answers.wait()
        return bool(super().check_channel_subsystem_request(channel, name))

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._answers.wait()
        return False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED  # type: ignore[attr-defined,no-any-return]

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == USER and key.asbytes() == self._key.asbytes()
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED  # type: ignore[attr-defined,no-any-return]

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


class _Handle(paramiko.SFTPHandle):
    """An open file, on a disk that may be full."""

    def __init__(self, server: SftpServer, flags: int) -> None:
        super().__init__(flags)
        self._server = server

    def write(self, offset: int, data: Any) -> int:
        server = self._server
        server.written += len(data)
        if server.hang_up_after is not None and server.written > server.hang_up_after:
            server.hang_up_after = None
            server.hang_up()
        if server.capacity is not None and server.written > server.capacity:
            return paramiko.SFTPServer.convert_errno(errno.ENOSPC)
        return int(super().write(offset, data))

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))  # type: ignore[attr-defined]


def _answered(method: Any) -> Any:
    """Have an error answered with its number."""

    def answering(*arguments: Any) -> Any:
        try:
            found = method(*arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)
        return paramiko.SFTP_OK if found is None else found  # type: ignore[attr-defined]

    return answering


class _Files(paramiko.SFTPServerInterface):
    """The folder."""

    def __init__(self, login: Any, server: SftpServer) -> None:
        super().__init__(login)
        self._server = server

    def _path(self, path: str) -> Path:
        return self._server.folder / self.canonicalize(path).lstrip("/")

    @_answered
    def list_folder(self, path: str) -> Any:
        return [
            paramiko.SFTPAttributes.from_stat(one.stat(), one.name)
            for one in self._path(path).iterdir()
        ]

    @_answered
    def stat(self, path: str) -> Any:
        return paramiko.SFTPAttributes.from_stat(self._path(path).stat())

    lstat = stat

    @_answered
    def open(self, path: str, flags: int, attr: Any) -> Any:
        descriptor = os.open(self._path(path), flags, 0o600)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        handle = _Handle(self._server, flags)
        file = os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "wb" if writes else "rb")
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]
        return handle

    @_answered
    def remove(self, path: str) -> Any:
        self._path(path).unlink()

    @_answered
    def rename(self, oldpath: str, newpath: str) -> Any:
        self._path(oldpath).rename(self._path(newpath))

    posix_rename = rename

    @_answered
    def mkdir(self, path: str, attr: Any) -> Any:
        self._path(path).mkdir()

    @_answered
    def rmdir(self, path: str) -> Any:
        self._path(path).rmdir()


@contextmanager
def serve(folder: Path, home: Path, *, trusted: bool = True) -> Iterator[SftpServer]:
    """Serve a folder; `home` gets the key of a client, and the server's if it is to be trusted."""
    client_key, server_key = paramiko.RSAKey.generate(2048), paramiko.ECDSAKey.generate()
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    client_key.write_private_key_file(str(ssh / "copies_key"))
    server = SftpServer(folder, server_key, client_key)
    (ssh / "config").write_text(f"Host {HOST}\n  IdentityFile {ssh}/copies_key\n")
    if trusted:
        line = f"[{HOST}]:{server.port} {server_key.get_name()} {server_key.get_base64()}\n"
        (ssh / "known_hosts").write_text(line)
    try:
        yield server
    finally:
        server.close()
