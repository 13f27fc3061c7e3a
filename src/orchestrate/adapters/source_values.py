"""Reads one value from where the spec says it is: variable, file, command, ini, keyring.

Must not show what was read: a `SourceProblemError` names the source alone.
"""

from __future__ import annotations

import configparser
import importlib
import io
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, assert_never

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret
from orchestrate.domain.spec_sources import (
    AnySource,
    CommandSource,
    DotenvSource,
    EnvSource,
    FileSource,
    IniSource,
    KeyringSource,
    TemplateSource,
)
from orchestrate.paths import expanded

COMMAND_TIMEOUT: Final = 30.0
_SECRETS_FOLDER: Final = Path("/run/secrets")
"""Container engines mount it readable for all, inside the container."""
_LARGEST: Final = 64 * 1024

ReadSource = EnvSource | DotenvSource | FileSource | CommandSource | IniSource | KeyringSource


class SourceProblemError(Exception):
    """A source gave nothing usable; `code` is that of the finding made of it."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def source_name(source: AnySource) -> str:
    """Return what a source is called in a message."""
    match source:
        case str():
            return "the URL in the spec"
        case EnvSource():
            return f"the environment variable `{source.env}`"
        case DotenvSource():
            return f"`{source.key}` in `{source.dotenv}`"
        case FileSource():
            return f"the file `{source.file}`"
        case CommandSource():
            return f"the command `{source.command[0]}`"
        case IniSource():
            return f"`{source.key}` in section `{source.section}` of `{source.ini}`"
        case KeyringSource():
            return f"the keyring's entry `{source.keyring.service}`"
        case TemplateSource():
            return "the template in the spec"
        case _:
            assert_never(source)


class SourceReader:
    """Reads sources; relative paths are relative to the spec's folder."""

    def __init__(
        self, *, folder: Path, environ: Mapping[str, str], runs_commands: bool = True
    ) -> None:
        self.folder = folder
        self.environ = environ
        self._runs_commands = runs_commands
        self._warnings: list[str] = []

    def take_warnings(self) -> list[str]:
        """Return the warnings since the last call."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def read(self, source: ReadSource) -> str:
        """Return the value, never an empty one. Raises `SourceProblemError`."""
        match source:
            case EnvSource():
                text = self.environ.get(source.env)
            case DotenvSource():
                text = self._dotenv(source)
            case FileSource():
                text = self._file(source.file).removesuffix("\n").removesuffix("\r")
            case CommandSource():
                text = self._command(source)
            case IniSource():
                text = self._ini(source)
            case KeyringSource():
                text = self._keyring(source)
            case _:
                assert_never(source)
        if text is None:
            code = "unset-variable" if isinstance(source, EnvSource) else "missing-value"
            raise SourceProblemError(code, f"{source_name(source)} is not set", _hint(source))
        if not text.strip():
            code = "unset-variable" if isinstance(source, EnvSource) else "missing-value"
            raise SourceProblemError(code, f"{source_name(source)} is empty")
        return text

    def _file(self, name: str, *, warns: bool = True) -> str:
        path = self.folder / expanded(name)
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise SourceProblemError("missing-file", f"`{name}` is a folder, expected a file")
            if status.st_size > _LARGEST and stat.S_ISREG(status.st_mode):
                raise SourceProblemError("missing-file", f"`{name}` is larger than 64 KiB")
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise SourceProblemError("missing-file", f"there is no file `{name}`") from None
        except UnicodeDecodeError:
            raise SourceProblemError("missing-file", f"the file `{name}` is not UTF-8") from None
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            text = f"the file `{name}` cannot be read: {reason.lower()}"
            raise SourceProblemError("missing-file", text) from None
        if warns and status.st_mode & stat.S_IROTH and _SECRETS_FOLDER not in path.parents:
            self._warnings.append(f"every user of this machine can read `{name}`: chmod 600")
        return text

    def _dotenv(self, source: DotenvSource) -> str | None:
        from dotenv import dotenv_values  # noqa: PLC0415 - only for this kind of source

        text = self._file(source.dotenv, warns=False)
        values = dotenv_values(stream=io.StringIO(text))
        if source.key not in values:
            message = f"`{source.dotenv}` has no `{source.key}`"
            raise SourceProblemError("unset-variable", message)
        return values[source.key]

    def _command(self, source: CommandSource) -> str:
        if not self._runs_commands:
            raise SourceProblemError("not-run", "commands are not run by this check")
        output = run_for_value(
            source.command,
            folder=self.folder,
            environ=self.environ,
            timeout=source.timeout or COMMAND_TIMEOUT,
        )
        if source.template is not None:
            # A template takes all of it: JSON is often printed over several lines.
            return output.strip()
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def _ini(self, source: IniSource) -> str:
        path = (self.folder / expanded(source.ini)).absolute()
        text = self._file(source.ini, warns=False)
        # As Alembic makes it, so that a value means the same here and there.
        parser = configparser.ConfigParser({"here": path.parent.as_posix()})
        try:
            parser.read_string(text)
            return parser.get(source.section, source.key)
        except configparser.NoSectionError:
            known = ", ".join(f"`{name}`" for name in parser.sections())
            message = f"`{source.ini}` has no section `{source.section}`"
            hint = f"it has {known}" if known else None
            raise SourceProblemError("missing-value", message, hint) from None
        except configparser.NoOptionError:
            raise SourceProblemError(
                "missing-value", f"there is no {source_name(source)}"
            ) from None
        except configparser.InterpolationError:
            message = f"{source_name(source)} has a `%` that stands for nothing"
            hint = "an ini file has `%` doubled: `%%`"
            raise SourceProblemError("bad-value", message, hint) from None
        except configparser.Error:
            raise SourceProblemError("bad-value", f"`{source.ini}` is not an ini file") from None

    def _keyring(self, source: KeyringSource) -> str | None:
        try:
            # An optional library, which the types are checked without.
            keyring: Any = importlib.import_module("keyring")
        except ImportError:
            message = "a keyring is declared and the library `keyring` is not installed"
            hint = "install `orchestrate[keyring]`"
            raise SourceProblemError("missing-library", message, hint) from None
        try:
            value: Any = keyring.get_password(source.keyring.service, source.keyring.user)
        except Exception as error:  # noqa: BLE001 - backends raise what they like
            message = f"{source_name(source)} cannot be read: {type(error).__name__}"
            raise SourceProblemError("missing-value", message) from None
        return None if value is None else str(value)


def _hint(source: ReadSource) -> str | None:
    if isinstance(source, EnvSource):
        return f"set it: `export {source.env}=…`"
    return None


def run_for_value(
    command: Sequence[str], *, folder: Path, environ: Mapping[str, str], timeout: float
) -> str:
    """Return what a program prints on standard output. No shell; it gets no input.

    Raises:
        SourceProblemError: it is not there, fails, or takes too long; with the end of its
            standard error, redacted, and never its output.
    """
    name = command[0]
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=child_environ(base=environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
        text = f"the command `{name}` cannot be started: {reason}"
        raise SourceProblemError("command-failed", text) from None
    with process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            for pipe in (process.stdout, process.stderr):
                # Its children may still hold the other end; they are not waited for.
                if pipe is not None:
                    pipe.close()
            text = f"the command `{name}` took longer than {timeout:g}s"
            raise SourceProblemError("command-failed", text, "`timeout:` gives it longer") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        text = f"the command `{name}` failed with exit status {process.returncode}"
        raise SourceProblemError("command-failed", text, _complaint(output, errors))
    return output.decode("utf-8", "replace")


def _complaint(output: bytes, errors: bytes) -> str | None:
    """Return the end of what a program complained, without what it printed as its value."""
    values = [Secret(line) for line in output.decode("utf-8", "replace").split()]
    text = Redactor(values).redact(errors.decode("utf-8", "replace").strip())
    last = " / ".join(line.strip() for line in text.splitlines()[-3:])
    return f"it said: {last[-500:]}" if last else None
