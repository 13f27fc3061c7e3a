"""The small types of the spec: durations, names, commands, shares of a fleet.

Each turns a text that a person wrote into a value, or says in one sentence what was expected and
what was found. They are checked when the spec is read, whether or not this version acts on the key
that uses them: a typo in a protection must not wait until it is needed.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    StrictBool,
    StrictInt,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

Code = Literal["bad-value", "wrong-type", "missing-key", "password-in-spec"]

_DURATION: Final = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d|w))+", re.ASCII)
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST: Final = 10 * 366 * 86400
_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


class Model(BaseModel):
    """What every mapping of the spec has in common: closed, frozen, documented."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Later:
    """Marks a field whose type is built when a spec first uses it; most specs use few of them.

    Building all of pydantic's validators takes longer than reading a spec. The nested
    `ValidationError` comes out as the cause in a `value_error`, which `stores/spec_mistakes.py`
    unfolds.
    """

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self._adapter: TypeAdapter[Any] | None = None

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Return what validates the type, built at the first call."""
        if self._adapter is None:
            self._adapter = TypeAdapter(self.type)
        return self._adapter

    def _validate(self, value: Any) -> Any:
        return self.adapter.validate_python(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        result: dict[str, Any] = handler(self.adapter.core_schema)
        return result


def mistake(code: Code, text: str, *, hint: str | None = None) -> PydanticCustomError:
    """Return the error that the spec's reader turns into a finding with these words."""
    # The text goes in as context: braces in it are not a template's.
    return PydanticCustomError(code, "{text}", {"text": text, "hint": hint})


def describe(value: object) -> str:
    """Return what was found, in words; a text is not quoted, it might be a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def _wrong_type(expected: str, value: object, *, hint: str | None = None) -> PydanticCustomError:
    return mistake("wrong-type", f"expected {expected}, found {describe(value)}", hint=hint)


def parse_duration(value: object) -> float:
    """Return the seconds that a text such as `1h30m` names."""
    expected = "a duration such as `500ms`, `5s`, `1h30m` or `2d`"
    if not isinstance(value, str):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        hint = f"add the unit: `{value}s` for seconds, `{value}m` for minutes" if number else None
        raise _wrong_type(expected, value, hint=hint)
    if not _DURATION.fullmatch(value):
        raise mistake("bad-value", f"expected {expected}, found `{value}`")
    parts = _DURATION_PART.findall(value)
    units = [unit for _, unit in parts]
    if sorted(set(units), key=lambda unit: -_UNITS[unit]) != units:
        text = f"expected units from large to small, each once, found `{value}`"
        raise mistake("bad-value", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise mistake("bad-value", f"expected at most ten years, found `{value}`")
    return seconds


def _positive_duration(value: object) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise mistake("bad-value", f"expected more than zero, found `{value}`")
    return seconds


_DURATION_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$",
    "examples": ["5s", "1h30m", "500ms"],
}

Duration = Annotated[float, PlainValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds; written with a unit."""
PositiveDuration = Annotated[
    float, PlainValidator(_positive_duration), WithJsonSchema(_DURATION_SCHEMA)
]


def as_text(value: object) -> str:
    """Return a text that is not empty, or raise the mistake."""
    if not isinstance(value, str):
        number = isinstance(value, (int, float))
        raise _wrong_type("a text", value, hint="put it in quotes" if number else None)
    if not value.strip():
        raise mistake("bad-value", "expected a text, found an empty one")
    if "\x00" in value:
        raise mistake("bad-value", "expected a text without a NUL character")
    return value


def _text_or_number(value: object) -> str:
    # Decimal numbers read back as they were written: the reader makes numbers of nothing else.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return as_text(value)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    meant = words.get(value.lower()) if isinstance(value, str) else None
    raise _wrong_type("`true` or `false`", value, hint=f"write `{meant}`" if meant else None)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type("a whole number", value)
    return value


def _at_least_one(value: int) -> int:
    if value < 1:
        raise mistake("bad-value", f"expected at least 1, found {value}")
    return value


def _at_least_zero(value: int) -> int:
    if value < 0:
        raise mistake("bad-value", f"expected at least 0, found {value}")
    return value


Text = Annotated[str, BeforeValidator(as_text)]
Path = Text
"""A path, relative to the folder of `migrations.yaml` unless its key says otherwise."""
Template = Annotated[str, BeforeValidator(_text_or_number)]
"""A text with `{{ }}` in it; a whole number is taken as its digits."""
Revision = Annotated[str, BeforeValidator(_text_or_number)]
"""What Alembic takes as a revision. Identifiers of digits alone need no quotes."""
Flag = Annotated[StrictBool, BeforeValidator(_flag)]
Count = Annotated[StrictInt, BeforeValidator(_count), AfterValidator(_at_least_one)]
CountOrZero = Annotated[StrictInt, BeforeValidator(_count), AfterValidator(_at_least_zero)]


def _count_or_age(value: object) -> int | float:
    """Return a number of things as an integer, an age in seconds as a float."""
    if isinstance(value, str):
        return _positive_duration(value)
    return _at_least_one(_count(value))


CountOrAge = Annotated[
    int | float,
    PlainValidator(_count_or_age),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _DURATION_SCHEMA]}),
]
"""An integer is a number of things, a float an age in seconds."""


def _scalar(value: object) -> str | int | float | bool:
    if isinstance(value, (str, int, float)):
        return value
    raise _wrong_type("one value", value)


Scalar = Annotated[
    str | int | float | bool,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


def _list(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return value
    raise _wrong_type("a list", value, hint="write it in brackets: `[…]`")


def _mapping(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise _wrong_type("a mapping", value)


def _arguments(value: object) -> object:
    if isinstance(value, (list, tuple)):
        if value:
            return value
        raise mistake("bad-value", "expected a command, found an empty list")
    hint = "write program and arguments as a list, no shell is used: `[./smoke.sh, --fast]`"
    raise _wrong_type("a list of program and arguments", value, hint=hint)


def _filled(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise mistake("bad-value", "expected at least one entry, found an empty list")
    return value


AsList = BeforeValidator(_list)
"""For `Annotated[tuple[X, ...], AsList]`: says in our words that a list is needed."""
AsMapping = BeforeValidator(_mapping)
"""The same for mappings of free keys."""
Filled = AfterValidator(_filled)
"""For lists that mean nothing when they are empty."""
Command = Annotated[tuple[Template, ...], BeforeValidator(_arguments)]
"""A program and its arguments; never handed to a shell."""


def _name(value: object) -> str:
    text = as_text(value)
    if not text.isprintable() or any(sign in text for sign in "/\\") or text != text.strip():
        raise mistake("bad-value", "expected a printable name without `/`, `\\` and outer spaces")
    if text.startswith("-") or text in {".", ".."}:
        raise mistake(
            "bad-value", f"expected a name that does not look like an option, found `{text}`"
        )
    return text


Name = Annotated[str, BeforeValidator(_name)]


def _variable(value: object) -> str:
    text = as_text(value)
    if "=" in text or any(sign.isspace() for sign in text):
        hint = "give the name of the variable, not its value"
        raise mistake("bad-value", "expected the name of an environment variable", hint=hint)
    return text


Variable = Annotated[str, BeforeValidator(_variable)]


def _host(value: object) -> str:
    text = as_text(value)
    # ssh takes a leading dash for an option, ProxyCommand among them.
    if text.startswith("-") or any(sign.isspace() for sign in text):
        raise mistake("bad-value", "expected a name for ssh, without spaces and leading `-`")
    return text


Host = Annotated[str, BeforeValidator(_host)]


def _email(value: object) -> str:
    text = as_text(value)
    if not _EMAIL.fullmatch(text):
        raise mistake("bad-value", f"expected an e-mail address, found `{text}`")
    return text


Email = Annotated[str, BeforeValidator(_email)]


def _share(value: object) -> int | str:
    expected = "a number of targets, or a share such as `5%`"
    if isinstance(value, int) and not isinstance(value, bool):
        return _at_least_one(value)
    if not isinstance(value, str):
        raise _wrong_type(expected, value)
    found = _SHARE.fullmatch(value)
    if not found or not 0 < float(found[1]) <= 100:  # noqa: PLR2004 - a percentage
        raise mistake("bad-value", f"expected {expected}, found `{value}`")
    return value


def _share_or_rest(value: object) -> int | str:
    return "rest" if value == "rest" else _share(value)


_SHARE_SCHEMA: Final = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}]
}
Share = Annotated[int | str, PlainValidator(_share), WithJsonSchema(_SHARE_SCHEMA)]
ShareOrRest = Annotated[
    int | str,
    PlainValidator(_share_or_rest),
    WithJsonSchema({"anyOf": [*_SHARE_SCHEMA["anyOf"], {"const": "rest"}]}),
]
