"""Turns what pydantic says about a value into findings that people understand.

One finding a mistake, at the line and column where it stands, saying what was expected and what was
found, with the nearest valid name. A text that was found is only shown where it cannot be a secret.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from orchestrate.domain.findings import Finding
from orchestrate.domain.names import did_you_mean, nearest
from orchestrate.domain.spec_types import Later, describe
from orchestrate.stores.yaml_marks import Document, ValuePath, shown_key

_WORD: Final = re.compile(r"[\w.\-]{1,40}")
_QUOTED: Final = re.compile(r"`([^`]+)`")
_EXPECTED: Final = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "a text",
}


def dotted(path: ValuePath) -> str:
    """Return a path as people write it: `verify[0].sql`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def without_nothing(
    value: Any, document: Document, path: ValuePath = ()
) -> tuple[Any, list[Finding]]:
    """Return the value without keys that are left empty, and a finding for each of them.

    An empty `window:` is more likely an unfinished edit than a wish for no window.
    """
    if isinstance(value, dict):
        pairs = {key: without_nothing(item, document, (*path, key)) for key, item in value.items()}
        kept = {key: item for key, (item, _) in pairs.items() if value[key] is not None}
        return kept, [finding for _, found in pairs.values() for finding in found]
    if isinstance(value, list):
        items = [without_nothing(item, document, (*path, n)) for n, item in enumerate(value)]
        kept_items = [item for item, _ in items if item is not None]
        return kept_items, [finding for _, found in items for finding in found]
    if value is None:
        text = f"`{dotted(path)}`: expected a value, found nothing"
        hint = "fill it in, or take the key out"
        return None, [
            Finding(
                code="wrong-type",
                severity="error",
                message=text,
                hint=hint,
                where=str(document.key_place(path)),
            )
        ]
    return value, []


def findings_of(
    error: ValidationError, model: type[BaseModel], document: Document, path: ValuePath = ()
) -> list[Finding]:
    """Return a finding for each mistake; `path` is where the model's value stands."""
    details = error.errors(include_url=False)
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    return [
        _finding(detail, model, document, path)
        for detail in details
        if not (detail["type"] == "missing" and _is_misspelt(detail["loc"], unknown))
    ]


def _is_misspelt(missing: Sequence[str | int], unknown: Iterable[Sequence[str | int]]) -> bool:
    """Say whether a key is missing because it is there under a wrong name: one mistake, not two."""
    name = str(missing[-1])
    return any(
        location[:-1] == missing[:-1] and nearest(str(location[-1]), [name]) for location in unknown
    )


def _finding(detail: Any, model: type[BaseModel], document: Document, prefix: ValuePath) -> Finding:
    location = detail["loc"]
    own_path = tuple(part for part in location if not _is_tag(part))
    path = (*prefix, *own_path)
    kind, context = detail["type"], detail.get("ctx", {})
    code, text, hint = _words(detail, context, model)
    place = document.place(path)
    if kind == "extra_forbidden" or "[key]" in location:
        place = document.key_place(path)
    if kind == "missing":
        place = document.place(path[:-1])
    shown = path[:-1] if kind in {"extra_forbidden", "missing"} else path
    if shown and all(isinstance(part, int) or _WORD.fullmatch(part) for part in shown):
        in_place = kind == "extra_forbidden"
        text = f"{text} in `{dotted(shown)}`" if in_place else f"`{dotted(shown)}`: {text}"
    return Finding(code=code, severity="error", message=text, hint=hint, where=str(place))


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and (part == "[key]" or part.startswith("<"))


def _words(detail: Any, context: Any, model: type[BaseModel]) -> tuple[str, str, str | None]:
    """Return code, sentence and hint of one mistake."""
    kind, found = detail["type"], detail["input"]
    match kind:
        case "bad-value" | "wrong-type" | "missing-key" | "password-in-spec":
            return kind, context["text"], context["hint"]
        case "extra_forbidden":
            key = str(detail["loc"][-1])
            hint = did_you_mean(key, _known_keys(model, detail["loc"][:-1]))
            return "unknown-key", f"unknown key {shown_key(key)}", hint
        case "missing":
            return "missing-key", f"`{detail['loc'][-1]}` is missing", None
        case "wrong-kind":
            return _wrong_kind(detail["msg"], found)
        case "literal_error":
            return _wrong_word(context["expected"], found)
        case "less_than_equal":
            return "bad-value", f"expected at most {context['le']}, found {describe(found)}", None
        case _:
            expected = _EXPECTED.get(kind, "something else")
            return "wrong-type", f"expected {expected}, found {describe(found)}", None


def _wrong_kind(expected: str, found: object) -> tuple[str, str, str | None]:
    if not isinstance(found, dict):
        text = f"expected {expected}, found {_shown(found)}"
        return ("bad-value" if isinstance(found, str) else "wrong-type"), text, None
    kinds = _QUOTED.findall(expected)
    for key in found:
        # `enviroment` for `env`: the short names are often written out.
        near = nearest(key, kinds, cutoff=0.7) or next(
            (kind for kind in kinds if key.startswith(kind[:3])), None
        )
        if near and not near.startswith(key):
            return "unknown-key", f"unknown key {shown_key(key)}", f"did you mean `{near}`?"
    keys = ", ".join(shown_key(key) for key in found) or "an empty one"
    return "missing-key", f"expected {expected}, found a mapping with {keys}", None


def _wrong_word(expected: str, found: object) -> tuple[str, str, str | None]:
    words = re.findall(r"'([^']*)'", expected)
    listed = ", ".join(f"`{word}`" for word in words)
    one_of = f"one of {listed}" if len(words) > 1 else listed
    near = nearest(found, words) if isinstance(found, str) else None
    code = "bad-value" if isinstance(found, str) else "wrong-type"
    hint = f"did you mean `{near}`?" if near else None
    return code, f"expected {one_of}, found {_shown(found)}", hint


def _shown(found: object) -> str:
    if isinstance(found, str) and _WORD.fullmatch(found):
        return f"`{found}`"
    return describe(found)


def _known_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys of the mapping at the location, which may lead through unions and lists."""
    annotation: Any = model
    for part in location:
        if isinstance(part, str) and part.startswith("<"):
            annotation = next((a for tag, a in _branches(annotation) if tag == part), None)
        else:
            annotation = _inside(annotation, part)
    for _, branch in _branches(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            return [field.alias or name for name, field in branch.model_fields.items()]
    return []


def _inside(annotation: Any, part: str | int) -> Any:
    """Return the annotation of a key or an item."""
    for _, branch in _branches(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            for name, field in branch.model_fields.items():
                if (field.alias or name) == part:
                    later = [extra for extra in field.metadata if isinstance(extra, Later)]
                    return later[0].type if later else field.annotation
        elif get_origin(branch) in {dict, tuple}:
            # `dict[key, value]` and `tuple[item, ...]`
            arguments = get_args(branch)
            return arguments[1] if get_origin(branch) is dict else arguments[0]
    return None


def _branches(annotation: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield each alternative of an annotation, with its tag in a union that has them."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        tags = [extra.tag for extra in extras if isinstance(extra, Tag)]
        later = [extra.type for extra in extras if isinstance(extra, Later)]
        for tag, branch in _branches(later[0] if later else inner):
            yield (tags[0] if tags else tag), branch
    elif get_origin(annotation) in {Union, types.UnionType}:
        for argument in get_args(annotation):
            yield from _branches(argument)
    else:
        yield None, annotation
