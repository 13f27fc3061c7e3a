"""Copies elsewhere: any place that fsspec reaches, by its URL."""

from __future__ import annotations

import contextlib
import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from orchestrate.adapters.destinations import PIECE, Guarded, part_name
from orchestrate.errors import OrchestrateError

_EXTRAS: Final = {"sftp": "sftp", "ssh": "sftp", "s3": "s3", "s3a": "s3"}
_OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"})
"""Where a folder is but the beginning of names. To make one would make a bucket there, whose name
somebody may just have misspelt."""


def open_remote(url: str) -> RemoteDestination:
    """Connect to a place. Raises `backup-impossible`."""
    import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415  # large: for remote places alone

    protocol = url.partition("://")[0]
    try:
        if _EXTRAS.get(protocol) == "sftp":
            from orchestrate.adapters.sftp import StrictSFTP  # noqa: PLC0415  # needs an extra

            kind: Any = StrictSFTP
        else:
            kind = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise _no_such_kind(protocol, error) from error
    try:
        # As fsspec's `url_to_fs` does, but never with a connection that another one left behind.
        parts = kind._get_kwargs_from_urls(url)  # noqa: SLF001
        system = kind(**parts, skip_instance_cache=True)
        folder = str(kind._strip_protocol(url))  # noqa: SLF001
    except Exception as error:
        text = f"{url} cannot be reached: {_reason(error)}"
        hint = error.hint if isinstance(error, OrchestrateError) else None
        raise OrchestrateError("backup-impossible", text, hint=hint) from error
    return RemoteDestination(system, folder.rstrip("/"), url.rstrip("/"))


def _no_such_kind(protocol: str, error: Exception) -> OrchestrateError:
    extra = _EXTRAS.get(protocol)
    if extra is not None:
        return OrchestrateError(
            "backup-impossible",
            f"`{protocol}://` needs a package that is not installed",
            hint=f"Install it beside orchestrate: `pip install 'orchestrate[{extra}]'`",
        )
    return OrchestrateError(
        "backup-impossible",
        f"no copies can be kept at `{protocol}://`: {error}",
        hint="`destination` is a folder, or a URL of a kind that fsspec knows",
    )


class RemoteDestination:
    """A folder of a file system of fsspec's."""

    path: Path | None = None

    def __init__(self, system: Any, folder: str, url: str) -> None:
        self._system = system
        self._folder = folder
        self._url = url

    def check(self) -> None:
        """Make the folder and write to it."""
        probe = f"{self._folder}/.orchestrate-{secrets.token_hex(6)}"
        try:
            self._make_folder(self._folder)
            self._system.pipe_file(probe, b"orchestrate")
            self._system.rm_file(probe)
        except Exception as error:
            raise OrchestrateError(
                "backup-impossible",
                f"copies cannot be kept at {self._url}: {_reason(error)}",
                hint="`destination` of `backup` names a folder that this user may write to",
            ) from error

    @contextmanager
    def writing(self, name: str) -> Iterator[Guarded]:
        """Open a new file."""
        with self._named_at_the_end(name) as part:
            with self._failing(name):
                file: IO[bytes] = self._system.open(part, "wb", block_size=8 * PIECE)
            counted = _Counted(file, lambda: self._failing(name))
            try:
                yield counted
                with self._failing(name):
                    file.close()
                    self._check_size(part, counted.taken)
            except BaseException:
                _abandon(file)
                raise

    @contextmanager
    def placing(self, name: str) -> Iterator[Path]:
        """Give a path of this machine, and send what is there."""
        with tempfile.TemporaryDirectory(prefix="orchestrate-") as folder:
            path = Path(folder) / name
            yield path
            with self._named_at_the_end(name) as part, self._failing(name):
                for file, place in _files(path, part):
                    # One by one: not every file system of fsspec's knows what a folder is.
                    self._make_folder(place.rpartition("/")[0])
                    self._system.put_file(str(file), place)
                self._check_size(part, _local_size(path))

    @contextmanager
    def reading(self, name: str) -> Iterator[Guarded]:
        """Open a file."""
        with self._breaking(name):
            file: IO[bytes] = self._system.open(self._place(name), "rb", block_size=8 * PIECE)
        try:
            yield Guarded(file, lambda: self._breaking(name))
        finally:
            with contextlib.suppress(Exception):
                file.close()

    @contextmanager
    def fetching(self, name: str) -> Iterator[Path]:
        """Fetch a copy into a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="orchestrate-") as folder:
            path = Path(folder) / name
            place = self._place(name)
            with self._breaking(name):
                for one in self._system.find(place) if self.is_folder(name) else [place]:
                    file = path / str(one)[len(place) :].lstrip("/")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    self._system.get_file(one, str(file))
            yield path

    def is_folder(self, name: str) -> bool:
        """Ask for it."""
        with self._breaking(name):
            return bool(self._system.isdir(self._place(name)))

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or of the files of a folder."""
        with self._breaking(name):
            return self._size(self._place(name))

    def remove(self, name: str) -> None:
        """Remove a file or a folder."""
        with self._failing(name, "removed"):
            self._remove(self._place(name))

    def free_bytes(self) -> int | None:
        """Return nothing: no place tells."""
        return None

    def location(self, name: str) -> str:
        """Return the URL."""
        return f"{self._url}/{name}"

    def close(self) -> None:
        """Close the connection, of those that have one."""
        close = getattr(self._system, "close_connection", None)
        if close is not None:
            with contextlib.suppress(Exception):
                close()

    def _make_folder(self, place: str) -> None:
        if self._url.partition("://")[0] not in _OBJECT_STORES:
            self._system.makedirs(place, exist_ok=True)

    def _place(self, name: str) -> str:
        return f"{self._folder}/{name}"

    @contextmanager
    def _named_at_the_end(self, name: str) -> Iterator[str]:
        part = self._place(part_name(name))
        with self._failing(name):
            self._make_folder(self._folder)
            self._remove(part)
        try:
            yield part
            with self._failing(name):
                self._system.invalidate_cache()
                if self._system.exists(self._place(name)):
                    raise FileExistsError(f"there is something called {name} already")
                self._move(part, self._place(name))
        except BaseException:
            with contextlib.suppress(Exception):
                self._remove(part)
            raise

    def _move(self, part: str, place: str) -> None:
        if getattr(self._system, "renames_folders", False) or not self._system.isdir(part):
            self._system.mv(part, place)
            return
        # Where a folder is but the beginning of names, each file is moved by itself.
        try:
            for one in self._system.find(part):
                self._system.mv(one, place + str(one)[len(part) :])
            self._remove(part)
        except BaseException:
            with contextlib.suppress(Exception):
                self._remove(place)
            raise

    def _check_size(self, place: str, expected: int) -> None:
        found = self._size(place)
        if found != expected:
            raise OSError(f"{expected} bytes were sent and {found} are there")

    def _size(self, place: str) -> int | None:
        self._system.invalidate_cache()
        try:
            if self._system.isdir(place):
                return int(self._system.du(place))
            return int(self._system.info(place)["size"])
        except FileNotFoundError:
            return None

    def _remove(self, place: str) -> None:
        self._system.invalidate_cache()
        if self._system.exists(place):
            self._system.rm(place, recursive=self._system.isdir(place))

    @contextmanager
    def _failing(self, name: str, what: str = "written") -> Iterator[None]:
        try:
            yield
        except Exception as error:
            text = f"{self.location(name)} cannot be {what}: {_reason(error)}"
            raise OrchestrateError("backup-failed", text) from error

    @contextmanager
    def _breaking(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            text = f"{self.location(name)} cannot be read: {_reason(error)}"
            raise OrchestrateError("backup-broken", text) from error


class _Counted(Guarded):
    """A file that knows how much was written to it."""

    taken = 0

    def write(self, piece: bytes) -> None:
        super().write(piece)
        self.taken += len(piece)


def _files(path: Path, place: str) -> Iterator[tuple[Path, str]]:
    """Yield each file with its place."""
    if not path.is_dir():
        yield path, place
        return
    for one in sorted(path.rglob("*")):
        if one.is_file():
            yield one, f"{place}/{one.relative_to(path).as_posix()}"


def _abandon(file: Any) -> None:
    """Close a file without keeping it: to close a half-written one would complete an upload."""
    with contextlib.suppress(Exception):
        file.discard()
    with contextlib.suppress(Exception):
        file.closed = True


def _local_size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "No such file or directory"  # some have the path alone for a message
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


# Its messages, threads' included, would go to standard error by themselves.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
