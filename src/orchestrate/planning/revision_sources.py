"""Reading a revision file as text, once, for every rule that judges it. Pure; nothing is run."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrate.domain.revision_source import (
    Ignore,
    Import,
    OperationCall,
    RevisionSource,
    TypeText,
)
from orchestrate.domain.revisions import Downgrade

_IGNORE: Final = re.compile(r"#\s*orchestrate:\s*ignore\[(?P<codes>[^\]]*)\]\s*(?P<reason>.*)")
_IDS: Final = ("revision", "down_revision", "depends_on", "branch_labels")
_TYPES: Final = ("type_", "existing_type")


def read_revision(file: str, content: bytes) -> RevisionSource | None:
    """Return what a file says, or None where it is no revision: it defines no `revision`.

    A file that cannot be parsed is one with a `problem`.
    """
    digest = hashlib.sha256(content).hexdigest()
    try:
        return _read(file, content, digest)
    except (SyntaxError, ValueError) as error:
        return unseen_source(file, None, sha256=digest, problem=str(error).split(" (")[0])
    except (RecursionError, MemoryError):
        problem = "its Python is nested too deeply to be read"
        return unseen_source(file, None, sha256=digest, problem=problem)


def _read(file: str, content: bytes, digest: str) -> RevisionSource | None:
    tree = ast.parse(content)
    identifiers = _identifiers(tree)
    if "revision" not in identifiers:
        return None
    upgrade, downgrade = _function(tree, "upgrade"), _function(tree, "downgrade")
    calls = _Calls(_operations(tree))
    if upgrade is not None:
        calls.walk(upgrade.body)
    title = (ast.get_docstring(tree) or "").strip().splitlines()
    return RevisionSource(
        file=file,
        sha256=digest,
        revision=next(iter(identifiers["revision"]), None),
        down=identifiers.get("down_revision", ()),
        depends_on=identifiers.get("depends_on", ()),
        labels=identifiers.get("branch_labels", ()),
        title=title[0].strip() if title else "",
        imports=tuple(_imports(tree)),
        calls=tuple(calls.found),
        upgrade_line=upgrade.lineno if upgrade else 1,
        changes=upgrade is None or _kind_of_body(upgrade) != "empty",
        downgrade=_kind(tree, downgrade),
        downgrade_line=downgrade.lineno if downgrade else 1,
        ignores=tuple(_ignores(content)) if b"orchestrate:" in content else (),
    )


def unseen_source(
    file: str, revision: str | None, *, sha256: str = "", problem: str | None = None
) -> RevisionSource:
    """Return a file of which nothing is known: it is elsewhere, or cannot be read."""
    return RevisionSource(
        file=file,
        sha256=sha256,
        revision=revision,
        down=(),
        depends_on=(),
        labels=(),
        title="",
        imports=(),
        calls=(),
        upgrade_line=1,
        changes=True,
        downgrade="present",
        downgrade_line=1,
        ignores=(),
        problem=problem,
    )


def _identifiers(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Return what the file says of its place in the graph; what is no literal is empty."""
    found = {}
    for node in tree.body:
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = (node.target,)
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _IDS:
                found[target.id] = _literal(node.value)
    return found


def _literal(node: ast.expr | None) -> tuple[str, ...]:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return tuple(
        one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)
    )


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    return None


def _kind(tree: ast.Module, function: ast.FunctionDef | None) -> Downgrade:
    """Return whether the way back does something, as the agent tells it of a loaded revision."""
    if function is None:
        bound = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        bound.update(
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        )
        return "present" if "downgrade" in bound else "missing"
    return _kind_of_body(function)


def _kind_of_body(function: ast.FunctionDef) -> Downgrade:
    rest = [
        node
        for node in function.body
        if not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Return) and _is_none(node.value))
    ]
    if not rest:
        return "empty"
    return "raises" if isinstance(rest[0], ast.Raise) else "present"


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _imports(tree: ast.Module) -> Iterator[Import]:
    """Return imports of the module and of what its functions and blocks hold."""
    waiting: list[ast.stmt] = list(tree.body)
    for node in waiting:
        if isinstance(node, ast.Import):
            for one in node.names:
                yield Import(module=one.name, names=(), line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            yield Import(
                module="." * node.level + (node.module or ""),
                names=tuple(one.name for one in node.names),
                line=node.lineno,
            )
        elif not isinstance(node, _WITHOUT_IMPORTS):
            for part in ("body", "orelse", "finalbody"):
                waiting += getattr(node, part, [])


_WITHOUT_IMPORTS: Final = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return, ast.ClassDef)


def _operations(tree: ast.Module) -> frozenset[str]:
    """Return the names under which Alembic's operations are at hand, usually `op` alone."""
    return frozenset(
        one.asname or one.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "alembic"
        for one in node.names
        if one.name == "op"
    )


class _Calls:
    """Calls of operations in a function's body, with what they stand in."""

    def __init__(self, names: frozenset[str]) -> None:
        self.found: list[OperationCall] = []
        self._names = names
        self._batches: dict[str, str] = {}

    def walk(self, body: Iterable[ast.stmt], *, autocommit: bool = False) -> None:
        for node in body:
            if isinstance(node, ast.With):
                inside = autocommit
                for item in node.items:
                    inside |= self._enter(item, autocommit=autocommit)
                self.walk(node.body, autocommit=inside)
                continue
            nested = [
                part
                for name in ("body", "orelse", "finalbody")
                for part in getattr(node, name, [])
                if isinstance(part, ast.stmt)
            ]
            if nested:
                self.walk(nested, autocommit=autocommit)
            else:
                self._calls_in(node, autocommit=autocommit)

    def _enter(self, item: ast.withitem, *, autocommit: bool) -> bool:
        """Note a batch's table; return whether the block is outside of a transaction."""
        call = item.context_expr
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return False
        if call.func.attr == "batch_alter_table" and isinstance(item.optional_vars, ast.Name):
            table = _text(call.args[0]) if call.args else None
            self._batches[item.optional_vars.id] = table or ""
        self._calls_in(call, autocommit=autocommit)
        return call.func.attr == "autocommit_block"

    def _calls_in(self, node: ast.AST, *, autocommit: bool) -> None:
        # Nearly every statement is one call of an operation, whose arguments hold no other.
        if isinstance(node, ast.Expr) and self._note(node.value, autocommit=autocommit):
            return
        for one in ast.walk(node):
            self._note(one, autocommit=autocommit)

    def _note(self, node: ast.AST, *, autocommit: bool) -> bool:
        """Note a call of an operation; return whether it is one."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        owner = node.func.value
        if not isinstance(owner, ast.Name):
            return False
        batch = self._batches.get(owner.id)
        if owner.id not in self._names and batch is None:
            return False
        self.found.append(_call(node, node.func.attr, batch, autocommit=autocommit))
        return True


def _call(node: ast.Call, name: str, batch: str | None, *, autocommit: bool) -> OperationCall:
    texts: list[str] = []
    _collect(node, texts)
    types = tuple(
        (keyword.arg, found)
        for keyword in node.keywords
        if keyword.arg in _TYPES
        for found in [_type(keyword.value)]
        if found is not None
    )
    return OperationCall(
        name=name,
        texts=tuple(texts),
        arguments=tuple(_text(one) for one in node.args),
        types=types,
        batch=batch,
        autocommit=autocommit,
        line=node.lineno,
    )


def _collect(node: ast.AST, texts: list[str]) -> None:
    """Collect the literal texts of a call's arguments, in their order."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            texts.append(node.value)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            _collect(argument, texts)
        for keyword in node.keywords:
            _collect(keyword.value, texts)
    elif not isinstance(node, ast.Attribute | ast.Name):
        for child in ast.iter_child_nodes(node):
            _collect(child, texts)


def _text(node: ast.expr) -> str | None:
    """Return a literal text, also behind `op.f(…)` and `sa.text(…)`."""
    if isinstance(node, ast.Call) and node.args and not node.keywords:
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _type(node: ast.expr) -> TypeText | None:
    arguments: list[int] = []
    if isinstance(node, ast.Call):
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        arguments = [
            one.value for one in given if isinstance(one, ast.Constant) and type(one.value) is int
        ]
        node = node.func
    name = getattr(node, "attr", None) or getattr(node, "id", None)
    return TypeText(name=name, arguments=tuple(arguments)) if isinstance(name, str) else None


def _ignores(content: bytes) -> Iterator[Ignore]:
    """Return the comments that silence rules; a text that looks like one is none."""
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(content).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        match = _IGNORE.match(token.string) if token.type == tokenize.COMMENT else None
        if match:
            codes = tuple(one.strip() for one in match["codes"].split(",") if one.strip())
            yield Ignore(codes=codes, reason=match["reason"].strip(), line=token.start[0])
