"""Where copies are kept: a folder of this machine, or any place that fsspec reaches.

Nothing stands under its final name before it is complete and, on this machine, on the disk. Must
not decide what is kept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded

PIECE: Final = 1 << 20
"""Bytes that are moved at a time."""
_STRETCH: Final = 32 << 20
"""Bytes that are worth a write to the disk of their own."""


def part_name(name: str) -> str:
    """Return what a copy is called until it is complete."""
    return f".{name}.part"


class Guarded:
    """A file of a destination, whose every error becomes one of ours."""

    def __init__(
        self,
        file: IO[bytes],
        guard: Callable[[], AbstractContextManager[None]],
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Take in the file, what turns its errors into ours, and who is told how much it got."""
        self._file = file
        self._guard = guard
        self._on_bytes = on_bytes

    def write(self, piece: bytes) -> None:
        """Write all of it."""
        with self._guard():
            self._file.write(piece)
            if self._on_bytes is not None:
                self._on_bytes(len(piece))

    def read(self, size: int) -> bytes:
        """Read at most so much; nothing at the end."""
        with self._guard():
            return self._file.read(size)


class Destination(Protocol):
    """One folder of copies. A copy is a file or a folder of files, by its name."""

    path: Path | None
    """The folder, on this machine; None elsewhere."""

    def check(self) -> None:
        """Make the folder, write to it and clean up; raise `backup-impossible` if that fails."""

    def writing(self, name: str) -> AbstractContextManager[Guarded]:
        """Open a new copy; it gets its name at the end of the body and is removed if that fails.

        Raises `backup-failed`.
        """

    def placing(self, name: str) -> AbstractContextManager[Path]:
        """Give a path of this machine at which the body makes a file or a folder.

        It is moved to the destination, under its name, at the end of the body. Raises
        `backup-failed`.
        """

    def reading(self, name: str) -> AbstractContextManager[Guarded]:
        """Open a copy that is one file. Raises `backup-broken`."""

    def fetching(self, name: str) -> AbstractContextManager[Path]:
        """Give a path of this machine with the copy, for reading it in the body alone."""

    def is_folder(self, name: str) -> bool:
        """Return whether a copy is a folder of files."""

    def size(self, name: str) -> int | None:
        """Return the bytes of a copy, of all its files together; None if it is not there."""

    def remove(self, name: str) -> None:
        """Remove a copy if it is there. Raises `backup-failed`."""

    def free_bytes(self) -> int | None:
        """Return how much there is room for; None where that cannot be told."""

    def location(self, name: str) -> str:
        """Return the whole path or URL of a copy, for people and for the catalogue."""

    def close(self) -> None:
        """End connections. Safe to repeat."""


@contextmanager
def open_destination(text: str, *, root: Path) -> Iterator[Destination]:
    """Open a destination: a path, relative to `root`, or a URL of fsspec's.

    Reaches nothing yet on this machine; elsewhere it connects. Raises `backup-impossible` when
    there is no such kind of place, or it cannot be reached.
    """
    if "://" in text and not text.startswith("file://"):
        # Imported here: fsspec is large, and most copies stay on this machine.
        from orchestrate.adapters.remote_destinations import open_remote  # noqa: PLC0415

        destination: Destination = open_remote(text)
    else:
        destination = FolderDestination(root / expanded(text.removeprefix("file://")))
    try:
        yield destination
    finally:
        destination.close()


class FolderDestination:
    """A folder of this machine; what it makes may be read by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.path: Path | None = path

    def check(self) -> None:
        """Make the folder and write to it."""
        probe = self._path / f".orchestrate-{secrets.token_hex(6)}"
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise OrchestrateError(
                "backup-impossible",
                f"copies cannot be kept in {self._path}: {_reason(error)}",
                hint="`destination` of `backup` names a folder that this user may write to",
            ) from error

    @contextmanager
    def writing(self, name: str) -> Iterator[Guarded]:
        """Open a new file."""
        with self.placing(name) as part:
            with self._failing(name):
                file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            with contextlib.ExitStack() as stack:
                stack.callback(_closed_quietly, file)
                yield Guarded(file, lambda: self._failing(name), _writing_out(file))
                with self._failing(name):
                    file.close()

    @contextmanager
    def placing(self, name: str) -> Iterator[Path]:
        """Give a path beside the final one."""
        part = self._path / part_name(name)
        with self._failing(name):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _removed(part)
        try:
            yield part
            with self._failing(name):
                _made_private(part)
                _synced(part)
                if (self._path / name).exists():
                    raise FileExistsError(f"there is something called {name} already")
                part.rename(self._path / name)
                _folder_synced(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                _removed(part)
            raise

    @contextmanager
    def reading(self, name: str) -> Iterator[Guarded]:
        """Open a file."""
        with self._breaking(name):
            file = (self._path / name).open("rb")
        with file:
            yield Guarded(file, lambda: self._breaking(name))

    @contextmanager
    def fetching(self, name: str) -> Iterator[Path]:
        """Give the copy itself."""
        with self._breaking(name):
            (self._path / name).stat()
        yield self._path / name

    def is_folder(self, name: str) -> bool:
        """Look at it."""
        return (self._path / name).is_dir()

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or of the files of a folder."""
        path = self._path / name
        try:
            if path.is_dir():
                return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file or a folder."""
        try:
            _removed(self._path / name)
        except OSError as error:
            text = f"{self.location(name)} cannot be removed: {_reason(error)}"
            raise OrchestrateError("backup-failed", text) from error

    def free_bytes(self) -> int | None:
        """Return the free bytes of the file system that the folder is on, or would be."""
        path = self._path.absolute()
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free

    def location(self, name: str) -> str:
        """Return the path."""
        return str(self._path / name)

    def close(self) -> None:
        """Do nothing."""

    @contextmanager
    def _breaking(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"{self.location(name)} cannot be read: {_reason(error)}"
            raise OrchestrateError("backup-broken", text) from error

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"{self.location(name)} cannot be written: {_reason(error)}"
            raise OrchestrateError("backup-failed", text) from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _closed_quietly(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # of a full disk: it is being removed
        file.close()


def _removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _writing_out(file: IO[bytes]) -> Callable[[int], None] | None:
    """Return what has a growing file written to the disk meanwhile, so that its sync is short.

    It only begins to write: whether all is there, and every error, the sync at the end tells.
    """
    if sys.platform != "linux":
        return None
    begun = waiting = 0

    def told(grown: int) -> None:
        nonlocal begun, waiting
        waiting += grown
        if waiting >= _STRETCH:
            # Nobody needs it in memory, which Linux takes as a reason to begin with writing.
            os.posix_fadvise(file.fileno(), begun, waiting, os.POSIX_FADV_DONTNEED)
            begun, waiting = begun + waiting, 0

    return told


def _made_private(path: Path) -> None:
    """Leave a copy to its owner alone, whatever the program that wrote it thought of that."""
    for one in (path, *(path.rglob("*") if path.is_dir() else ())):
        one.chmod(0o700 if one.is_dir() else 0o600)


def _synced(path: Path) -> None:
    """Have a file, or all files and folders of a folder, on the disk."""
    if path.is_dir():
        for one in path.rglob("*"):
            _folder_synced(one)
    _folder_synced(path)


def _folder_synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
