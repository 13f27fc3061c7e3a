"""Reads the spec: finds `migrations.yaml`, follows `include`, validates all of it in one go.

Every mistake of every file is reported together. Reading a spec reaches no database, runs nothing,
and looks at no environment variable: a missing one matters only to who needs it
(`adapters/url_sources.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import ValidationError

from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import (
    DEFAULT_PROJECT,
    FILE_NAME,
    Defaults,
    Environment,
    LoadedSpec,
    Place,
    Project,
    SpecFile,
    digest_of,
)
from orchestrate.domain.spec_sources import holds_expression
from orchestrate.errors import OrchestrateError
from orchestrate.paths import is_file
from orchestrate.planning.spec_checks import Outline, cross_findings
from orchestrate.stores.spec_mistakes import findings_of, without_nothing
from orchestrate.stores.spec_place import spec_path
from orchestrate.stores.yaml_marks import Document, ValuePath, read_yaml

__all__ = ["LoadedSpec", "load_spec"]

_ModelType = TypeVar("_ModelType", SpecFile, Environment)
_UNREAD: Final = frozenset({"bad-yaml", "unreadable-file", "missing-file"})
_GLOB: Final = re.compile(r"[*?\[]")
_MOST_FILES: Final = 10_000
_PLACE: Final = re.compile(r"(.*):(\d+):(\d+)")


class _Declaration(NamedTuple):
    """An environment as it is written: the document, where in it, and its own values."""

    document: Document
    path: ValuePath
    raw: dict[str, Any]


def load_spec(path: Path | None, *, start: Path) -> LoadedSpec:
    """Return the spec of a file, or of the nearest one when none is named.

    Raises:
        OrchestrateError: `spec-not-found`, or `spec-invalid` with every mistake as a finding.
    """
    return _Loader(spec_path(path, start=start)).load()


class _Loader:
    """One reading of a spec; gathers findings as it goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self.findings: list[Finding] = []

    def load(self) -> LoadedSpec:
        document = self._read(self.path)
        raw = self._mapping(document) if document.value is not None else {}
        if document.value is None and not document.findings:
            self._error("missing-key", f"`{document.file}` is empty", document.place(()))
        spec = self._validated(SpecFile, document, (), _without_notes(raw))
        declared = [*self._included(raw, document), *self._written_here(raw, document)]
        # The defaults were seen with the file: their mistakes are told once, not once a user.
        defaults_raw = raw.get("defaults") if isinstance(raw.get("defaults"), dict) else {}
        defaults = spec.defaults if spec else None
        defaults_document = _Declaration(document, ("defaults",), defaults_raw or {})
        environments = [
            environment
            for declaration in declared
            if (environment := self._environment(declaration, defaults, defaults_document))
        ]
        projects = self._projects(spec, document)
        names = (
            list(raw["projects"]) if isinstance(raw.get("projects"), dict) else [DEFAULT_PROJECT]
        )
        outlines = [_outline(declaration, defaults_document) for declaration in declared]
        across = cross_findings(names, [outline for outline in outlines if outline])
        # Who is called for may stand in a file that could not be read.
        unread = any(finding.code in _UNREAD for finding in self.findings)
        self.findings += [f for f in across if not (unread and f.code == "unknown-environment")]
        self._raise_mistakes()
        assert spec is not None  # noqa: S101 - a spec that is None has findings
        pairs = list(zip(environments, declared, strict=True))
        return self._assembled(spec, document, projects, pairs)

    def _assembled(
        self,
        spec: SpecFile,
        document: Document,
        projects: Mapping[str, Project],
        environments: list[tuple[Environment, _Declaration]],
    ) -> LoadedSpec:
        complete = []
        digests = {}
        for environment, declaration in environments:
            project = environment.project or next(iter(projects))
            inherited = document.value.get("defaults", {})
            written = {**inherited, **declaration.raw, "name": environment.name}
            written.pop("runbook", None)  # it does nothing to a database (domain/spec_runbook.py)
            digests[environment.name] = digest_of(written, _raw_project(document.value, project))
            complete.append(environment.model_copy(update={"project": project}))
        return LoadedSpec(
            path=self.path,
            projects=projects,
            environments=tuple(complete),
            state=spec.state,
            findings=tuple(self.findings),
            state_place=document.key_place(("state",)),
            digests=digests,
        )

    def _read(self, path: Path) -> Document:
        shown = Path(os.path.relpath(path, self.folder)).as_posix()
        try:
            document = read_yaml(path.read_bytes(), shown)
        except OSError as error:
            document = Document(file=shown)
            text = f"the file cannot be read: {(error.strerror or 'unknown reason').lower()}"
            self._error("unreadable-file", text, document.place(()))
        self.findings += document.findings
        return document

    def _mapping(self, document: Document) -> dict[str, Any]:
        if isinstance(document.value, dict):
            return document.value
        text = f"expected a mapping at the top of `{document.file}`, found something else"
        self._error("wrong-type", text, document.place(()))
        return {}

    def _validated(
        self, model: type[_ModelType], document: Document, path: ValuePath, raw: dict[str, Any]
    ) -> _ModelType | None:
        value, empty = without_nothing(raw, document, path)
        self.findings += empty
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.findings += findings_of(error, model, document, path)
            return None

    def _included(self, raw: dict[str, Any], document: Document) -> Iterator[_Declaration]:
        written = raw.get("include", SpecFile.model_fields["include"].default)
        patterns = [written] if isinstance(written, str) else written
        if not isinstance(patterns, (list, tuple)):
            return
        seen = {self.path.resolve()}
        for index, pattern in enumerate(patterns):
            if not isinstance(pattern, str):
                continue
            place = document.place(("include", index))
            for path in self._matches(pattern, place, told="include" in raw):
                if path.resolve() not in seen:
                    seen.add(path.resolve())
                    yield from self._environment_file(path)

    def _matches(self, pattern: str, place: Place, *, told: bool) -> list[Path]:
        if not _GLOB.search(pattern):
            path = self.folder / pattern
            if not is_file(path):
                self._error("missing-file", f"`include`: there is no file `{pattern}`", place)
                return []
            return [path]
        try:
            # What editors and systems leave beside a file begins with a dot; shells skip it, too.
            matches = sorted(
                path
                for path in _glob(self.folder, pattern)
                if is_file(path) and not path.name.startswith(".")
            )
        except (ValueError, OSError, NotImplementedError):
            self._error("bad-value", f"`include`: `{pattern}` is no pattern for files", place)
            return []
        if not matches and told:
            text = f"`include`: no file matches `{pattern}`"
            self._finding("warning", "no-match", text, place)
        return matches[:_MOST_FILES]

    def _environment_file(self, path: Path) -> Iterator[_Declaration]:
        document = self._read(path)
        if document.value is None:
            if not any(
                finding.where and finding.where.startswith(document.file)
                for finding in self.findings
            ):
                text = f"`{document.file}` is empty"
                self._error(
                    "missing-key", text, document.place(()), "give the environment a `name`"
                )
            return
        raw = self._mapping(document)
        if raw:
            yield _Declaration(document, (), _without_notes(raw))

    def _written_here(self, raw: dict[str, Any], document: Document) -> Iterator[_Declaration]:
        environments = raw.get("environments")
        for name, own in environments.items() if isinstance(environments, dict) else ():
            if isinstance(own, dict):
                yield _Declaration(document, ("environments", name), {**own, "name": name})

    def _environment(
        self, declaration: _Declaration, defaults: Defaults | None, from_defaults: _Declaration
    ) -> Environment | None:
        document, path, raw = declaration
        before = len(self.findings)
        environment = self._validated(Environment, document, path, raw)
        if path:
            # Seen before, as part of the file that they stand in.
            del self.findings[before:]
        if environment is None:
            return None
        inherited = {
            key: getattr(defaults, key)
            for key in (defaults.model_fields_set if defaults else ())
            if key not in environment.model_fields_set
        }
        if inherited:
            environment = environment.model_copy(update=inherited)
        places = _places(from_defaults) | _places(declaration)
        name_place = document.key_place(path) if path else document.place(("name",))
        places["name"] = name_place
        environment.placed(name_place, places, self.folder)
        return environment

    def _projects(self, spec: SpecFile | None, document: Document) -> dict[str, Project]:
        if spec is None:
            return {}
        if spec.project and spec.projects is not None:
            place = document.key_place(("projects",))
            self._error("bad-value", "`project` and `projects` are given together", place)
        if spec.projects is not None:
            if not spec.projects:
                place = document.key_place(("projects",))
                self._error("bad-value", "`projects`: expected at least one project", place)
            paths: dict[str, ValuePath] = {name: ("projects", name) for name in spec.projects}
            projects = dict(spec.projects)
        else:
            paths = {DEFAULT_PROJECT: ("project",)}
            projects = {DEFAULT_PROJECT: spec.project or Project()}
        for name, project in projects.items():
            declaration = _Declaration(document, paths[name], {})
            places = _places(declaration)
            project.placed(document.key_place(paths[name]), places, self.folder)
        return projects

    def _error(self, code: str, text: str, place: Place, hint: str | None = None) -> None:
        self._finding("error", code, text, place, hint)

    def _finding(
        self, severity: Any, code: str, text: str, place: Place, hint: str | None = None
    ) -> None:
        self.findings.append(
            Finding(code=code, severity=severity, message=text, hint=hint, where=str(place))
        )

    def _raise_mistakes(self) -> None:
        self.findings.sort(key=_reading_order)
        mistakes = [finding for finding in self.findings if finding.severity == "error"]
        if not mistakes:
            return
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise OrchestrateError(
            "spec-invalid",
            f"the spec has {count}; nothing was done",
            where=mistakes[0].where,
            findings=self.findings,
        )


def _reading_order(finding: Finding) -> tuple[bool, str, int, int]:
    found = _PLACE.fullmatch(finding.where or "")
    if not found:
        return (True, "", 0, 0)
    return (found[1] != FILE_NAME, found[1], int(found[2]), int(found[3]))


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    if Path(pattern).is_absolute():
        anchor = Path(Path(pattern).anchor)
        return anchor.glob(str(Path(pattern).relative_to(anchor)))
    return folder.glob(pattern)


def _without_notes(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the values without keys `x-…`, which are free for anchors and notes."""
    return {key: value for key, value in raw.items() if not key.startswith("x-")}


def _places(declaration: _Declaration) -> dict[str, Place]:
    """Return the places of keys below a declaration, by their dotted path."""
    document, path, _ = declaration
    return {
        ".".join(str(part) for part in full[len(path) :]): place
        for full, place in document.keys.items()
        if full[: len(path)] == path and len(full) > len(path)
    }


def _outline(declaration: _Declaration, defaults: _Declaration) -> Outline | None:
    """Return what can be told of an environment whatever mistakes it has; it needs a name."""
    raw = {**defaults.raw, **declaration.raw}
    name, url, after = raw.get("name"), raw.get("url"), raw.get("after")
    if not isinstance(name, str):
        return None
    aliases, project = raw.get("aliases"), raw.get("project")
    promoted = after.get("environment") if isinstance(after, dict) else None
    places = _places(defaults) | _places(declaration)
    own = declaration.document.place((*declaration.path, "name"))
    keys = {"aliases": "aliases", "project": "project", "url": "url", "after": "after.environment"}
    return Outline(
        name=name,
        aliases=tuple(one for one in aliases if isinstance(one, str))
        if isinstance(aliases, list)
        else (),
        project=project if isinstance(project, str) else None,
        has_url="url" in raw or "targets" in raw,
        literal_url=url if isinstance(url, str) and not holds_expression(url) else None,
        after=promoted if isinstance(promoted, str) else None,
        places={"name": str(own)} | {key: str(places.get(path, own)) for key, path in keys.items()},
    )


def _raw_project(raw: dict[str, Any], name: str) -> object:
    if "projects" in raw:
        return raw["projects"][name]
    return raw.get("project") or {}
