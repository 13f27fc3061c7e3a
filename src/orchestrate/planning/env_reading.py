"""What the text of env.py, and of the modules it imports, tells of where its URL comes from.

Reads syntax alone: nothing is run, and what is found are guesses, in the order of how good they
are. Trying them is `planning/injections.py`'s part.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrate.values import dataclass

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")
_READERS: Final = frozenset({"getenv", "get", "config", "env", "str", "url", "db", "db_url"})
"""Functions whose first argument may name a variable: os's, decouple's, environs', starlette's."""
_ASYNC_MARKS: Final = frozenset(
    {"async_engine_from_config", "create_async_engine", "AsyncEngine", "run_sync"}
)
_COMMITS: Final = frozenset({"begin", "commit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one or several files say; names in the order of how likely they matter."""

    variables: tuple[str, ...] = ()
    """Environment variables that are read, those of settings classes included."""
    reads_x: bool = False
    x_names: tuple[str, ...] = ()
    reads_attributes: bool = False
    options: tuple[str, ...] = ()
    """Main options of Alembic's configuration that are read."""
    overwrites_url: bool = False
    """`sqlalchemy.url` is set in the text, so that another value of it is lost."""
    sections: tuple[str, ...] = ()
    """Sections of the ini file that are named."""
    modules: tuple[str, ...] = ()
    """Dotted names that are imported; the last part may be something inside a module."""
    asynchronous: bool = False
    commits: bool = False
    """Something is begun or committed, other than Alembic's own transaction."""


def read_source(text: str, *, module: str = "", package: bool = False) -> Reading:
    """Return what a file says; nothing for a text that this Python cannot parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a project's strings look like is its business
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return Reading()
    reader = _Reader()
    reader.read(tree)
    base = module.split(".") if package else module.split(".")[:-1]
    return Reading(
        variables=_unique([*reader.variables, *reader.settings, *reader.constants]),
        reads_x=reader.reads_x,
        x_names=_unique(reader.keys) if reader.reads_x else (),
        reads_attributes=reader.reads_attributes,
        options=_unique(reader.options),
        overwrites_url=reader.overwrites_url,
        sections=_unique(reader.sections),
        modules=_unique(_imports(tree, base)),
        asynchronous=reader.asynchronous,
        commits=reader.commits,
    )


def joined(readings: Iterable[Reading]) -> Reading:
    """Return what several files say together; the first ones come first."""
    every = list(readings)
    return Reading(
        variables=_unique(name for one in every for name in one.variables),
        reads_x=any(one.reads_x for one in every),
        x_names=_unique(name for one in every for name in one.x_names),
        reads_attributes=any(one.reads_attributes for one in every),
        options=_unique(name for one in every for name in one.options),
        overwrites_url=any(one.overwrites_url for one in every),
        sections=_unique(name for one in every for name in one.sections),
        modules=_unique(name for one in every for name in one.modules),
        asynchronous=any(one.asynchronous for one in every),
        commits=any(one.commits for one in every),
    )


class _Reader:
    """Gathers what matters from a tree."""

    def __init__(self) -> None:
        self.variables: list[str] = []
        self.settings: list[str] = []
        self.constants: list[str] = []
        self.keys: list[str] = []
        self.options: list[str] = []
        self.sections: list[str] = []
        self.reads_x = self.reads_attributes = self.asynchronous = self.commits = False
        self.overwrites_url = False

    def read(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            match node:
                case ast.Call():
                    self._call(node)
                case ast.Subscript():
                    self._subscript(node)
                case ast.ClassDef():
                    self.settings += _settings_fields(node)
                case ast.Constant(value=str() as text) if _VARIABLE.fullmatch(text):
                    self.constants.append(text)
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    self._named(name)

    def _named(self, name: str) -> None:
        self.reads_x |= name == "get_x_argument"
        self.reads_attributes |= name == "attributes"
        self.asynchronous |= name in _ASYNC_MARKS

    def _call(self, node: ast.Call) -> None:
        name = _last_name(node.func)
        self.commits |= name in _COMMITS
        for keyword in node.keywords:
            if keyword.arg in {"env", "validation_alias", "alias"}:
                # pydantic reads them without regard to case.
                names = [one.upper() for one in _texts(keyword.value) if "_" in one]
                self.variables += [one for one in names if _is_variable(one)]
        texts = [text for one in node.args[:2] if (text := _text(one)) is not None]
        if not texts:
            return
        first = texts[0]
        if name in {"get_main_option", "set_main_option"}:
            self.options += [first] if name.startswith("get") else []
            self.overwrites_url |= name.startswith("set") and first == "sqlalchemy.url"
        elif name == "get_section":
            self.sections.append(first)
        elif name == "get_section_option":
            self.sections.append(first)
            self.options.append(texts[-1])
        elif name in _READERS:
            if _is_variable(first):
                self.variables.append(first)
            elif name == "get" and first.isidentifier():
                self.keys.append(first)

    def _subscript(self, node: ast.Subscript) -> None:
        key = _text(node.slice)
        if key is None:
            return
        if _last_name(node.value) == "environ":
            self.variables.append(key)
        elif key.isidentifier():
            self.keys.append(key)


def _settings_fields(node: ast.ClassDef) -> list[str]:
    """Return the variables that a pydantic settings class reads: prefix and field."""
    if not any("Settings" in _last_name(base) for base in node.bases):
        return []
    prefix, fields = "", []
    for one in ast.walk(node):
        match one:
            case ast.keyword(arg="env_prefix", value=ast.Constant(value=str() as text)):
                prefix = text
            case ast.Assign(
                targets=[ast.Name(id="env_prefix")], value=ast.Constant(value=str() as text)
            ):
                prefix = text
            case ast.AnnAssign(target=ast.Name(id=name)) if one in node.body:
                fields.append(name)
    # Without regard to case, unless the class says otherwise; then its fields are in capitals.
    return [f"{prefix}{name}".upper() for name in fields if name != "model_config"]


def _imports(tree: ast.AST, base: list[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = [*base[: len(base) - node.level + 1]] if node.level else []
            parts += node.module.split(".") if node.module else []
            if parts:
                yield ".".join(parts)
                yield from (".".join([*parts, one.name]) for one in node.names if one.name != "*")


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case _:
            return None


def _is_variable(text: str) -> bool:
    return _VARIABLE.fullmatch(text) is not None


def _texts(node: ast.expr) -> list[str]:
    return [
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
