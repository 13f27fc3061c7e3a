"""YAML as plain JSON values, with the place of every key and value.

Reads the events of PyYAML's parser and builds the values itself, for four reasons: places;
repeated keys, which PyYAML passes over in silence; a bound on what aliases expand to; and scalars
that mean what they look like. Of plain scalars only `true`, `false`, `null`, decimal numbers and
fractions are not text: `no`, `on`, `0123`, `12e4` and `22:30`, which YAML 1.1 makes into something
else, are often names, revisions and times here. No tag is accepted but `!!str`, so that no object
is ever made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple

import yaml

from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import Place
from orchestrate.values import dataclass

LARGEST_FILE: Final = 1024 * 1024
_MOST_NODES: Final = 20_000
_DEEPEST: Final = 40
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_FRACTION: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})\.\d{1,18}", re.ASCII)
_CONSTANTS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_TAG: Final = "tag:yaml.org,2002:"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PRINTABLE_KEY: Final = re.compile(r"[\w .\-]{1,60}")

ValuePath = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """One file: its value and where each part of it stands; `value` is None if it is empty."""

    file: str
    value: Any = None
    keys: dict[ValuePath, Place] = field(default_factory=dict)
    values: dict[ValuePath, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: ValuePath) -> Place:
        """Return where the value of the path stands, or the nearest part around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return Place(file=self.file, line=1, column=1)

    def key_place(self, path: ValuePath) -> Place:
        """Return where the key that leads to the path stands."""
        return self.keys.get(path) or self.place(path)


class _Node(NamedTuple):
    kind: str
    """`scalar`, `list` or `mapping`."""
    value: Any
    """A plain value, a list of nodes, or a list of pairs of nodes."""
    line: int
    column: int


class _BadYamlError(Exception):
    def __init__(self, text: str, mark: Any, hint: str | None = None) -> None:
        super().__init__(text)
        self.text, self.hint = text, hint
        self.line = mark.line + 1 if mark else 1
        self.column = mark.column + 1 if mark else 1


def shown_key(key: str) -> str:
    """Return a key for a message; what does not look like a key might hold a secret."""
    return f"`{key}`" if _PRINTABLE_KEY.fullmatch(key) else "this key"


def read_yaml(content: bytes, file: str) -> Document:
    """Return the file's value; mistakes become findings of the document, never exceptions."""
    document = Document(file=file)
    try:
        node = _compose(_decode(content))
        if node is not None:
            document.value = _Builder(document).build(node)
    except _BadYamlError as error:
        place = Place(file=file, line=error.line, column=error.column)
        document.value = None
        document.findings.append(
            Finding(
                code="bad-yaml",
                severity="error",
                message=error.text,
                hint=error.hint,
                where=str(place),
            )
        )
    return document


class _Mark(NamedTuple):
    line: int
    column: int


def _decode(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        raise _BadYamlError("expected at most 1 MiB of YAML, found more", None)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        mark = _Mark(before.count("\n"), len(before) - (before.rfind("\n") + 1))
        hint = "save the file as UTF-8"
        raise _BadYamlError("expected UTF-8, found a byte that is not", mark, hint) from None


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        # The problem alone: its context and snippet would show what stands in the file.
        problem = error.problem or "the YAML cannot be read"
        lines = text.splitlines()
        line = error.problem_mark.line if error.problem_mark else 0
        indent = re.match(r"\s*", lines[line] if line < len(lines) else "")
        hint = "YAML indents with spaces, never with tabs" if indent and "\t" in indent[0] else None
        raise _BadYamlError(_sentence(problem), error.problem_mark, hint) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        mark = _Mark(before.count("\n"), len(before) - (before.rfind("\n") + 1))
        raise _BadYamlError("expected text, found a control character", mark) from None


def _sentence(problem: str) -> str:
    return f"not YAML: {problem.replace(chr(39), '`')}"


def _compose(text: str) -> _Node | None:
    """Return the tree of the first document, refusing a second one; aliases share their node."""
    anchors: dict[str, _Node] = {}
    open_anchors: list[str | None] = []
    stack: list[list[_Node]] = [[]]
    starts: list[tuple[str, Any]] = []
    documents = 0
    for event in _events(text):
        mark = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                hint = "give each environment a file of its own"
                raise _BadYamlError("expected one document, found a second `---`", mark, hint)
        elif isinstance(event, yaml.AliasEvent):
            stack[-1].append(_alias(event, anchors, open_anchors))
        elif isinstance(event, yaml.ScalarEvent):
            node = _Node("scalar", _scalar(event), mark.line + 1, mark.column + 1)
            stack[-1].append(node)
            if event.anchor:
                anchors[event.anchor] = node
        elif isinstance(event, yaml.CollectionStartEvent):
            _check_collection(event, len(stack))
            kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            stack.append([])
            starts.append((kind, mark))
            open_anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            node = _closed(*starts.pop(), stack.pop())
            stack[-1].append(node)
            if anchor := open_anchors.pop():
                anchors[anchor] = node
    return stack[0][0] if stack[0] else None


def _closed(kind: str, mark: Any, children: list[_Node]) -> _Node:
    value = children if kind == "list" else list(zip(children[::2], children[1::2], strict=True))
    return _Node(kind, value, mark.line + 1, mark.column + 1)


def _alias(event: Any, anchors: Mapping[str, _Node], open_anchors: list[str | None]) -> _Node:
    if event.anchor in open_anchors:
        raise _BadYamlError("an alias stands inside what it names", event.start_mark)
    if event.anchor not in anchors:
        hint = "a text that begins with `*` has to be in quotes"
        raise _BadYamlError("an alias names no anchor above it", event.start_mark, hint)
    return anchors[event.anchor]


def _check_collection(event: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise _BadYamlError(f"expected at most {_DEEPEST} levels, found more", event.start_mark)
    if event.tag not in {None, f"{_TAG}seq", f"{_TAG}map"}:
        raise _BadYamlError("a YAML tag (`!…`) means nothing here", event.start_mark)


def _scalar(event: Any) -> Any:
    if event.tag is not None and event.tag != "!":
        if event.tag == f"{_TAG}str":
            return event.value
        hint = "a text that begins with `!` has to be in quotes"
        raise _BadYamlError("a YAML tag (`!…`) means nothing here", event.start_mark, hint)
    if not event.implicit[0]:
        return event.value
    text = event.value
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if text != "-0" else text
    return float(text) if _FRACTION.fullmatch(text) else text


class _Builder:
    """Turns nodes into values, filling the document's places."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0

    def build(self, node: _Node, path: ValuePath = ()) -> Any:
        self.nodes += 1
        if self.nodes > _MOST_NODES or len(path) > 2 * _DEEPEST:
            text = f"expected at most {_MOST_NODES} values, aliases filled in, found more"
            raise _BadYamlError(text, _Mark(node.line - 1, node.column - 1))
        self.document.values[path] = self._place(node)
        if node.kind == "scalar":
            return node.value
        if node.kind == "list":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _place(self, node: _Node) -> Place:
        return Place(file=self.document.file, line=node.line, column=node.column)

    def _mapping(self, node: _Node, path: ValuePath) -> dict[str, Any]:
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        for key, value in node.value:
            if key.kind != "scalar" or not isinstance(key.value, str):
                self._finding("wrong-type", "expected a text as key", key, "put it in quotes")
            elif key.value == "<<":
                for pair in self._merged(value):
                    merged.setdefault(pair[0].value, pair)
            elif key.value in own:
                first = own[key.value][0]
                text = f"{shown_key(key.value)} is given twice, first in line {first.line}"
                self._finding("duplicate-key", text, key, None)
            else:
                own[key.value] = (key, value)
        result = {}
        for name, (key, value) in {**merged, **own}.items():
            self.document.keys[(*path, name)] = self._place(key)
            result[name] = self.build(value, (*path, name))
        return result

    def _merged(self, node: _Node) -> Iterator[tuple[_Node, _Node]]:
        self.nodes += 1
        sources = node.value if node.kind == "list" else [node]
        for source in sources:
            if source.kind != "mapping":
                self._finding("wrong-type", "expected a mapping to merge with `<<`", source, None)
                continue
            nested = [value for key, value in source.value if key.value == "<<"]
            for key, value in source.value:
                if isinstance(key.value, str) and key.value != "<<":
                    yield key, value
            for inner in nested:
                self._charge(source)
                yield from self._merged(inner)

    def _charge(self, node: _Node) -> None:
        self.nodes += len(node.value)
        if self.nodes > _MOST_NODES:
            text = f"expected at most {_MOST_NODES} values, aliases filled in, found more"
            raise _BadYamlError(text, _Mark(node.line - 1, node.column - 1))

    def _finding(self, code: str, text: str, node: _Node, hint: str | None) -> None:
        where = str(self._place(node))
        finding = Finding(code=code, severity="error", message=text, hint=hint, where=where)
        self.document.findings.append(finding)
