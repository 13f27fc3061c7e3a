"""The key `drift` of an environment: differences that are known, each with a reason."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from orchestrate.domain.names import did_you_mean
from orchestrate.domain.spec_types import AsList, Model, Text, as_text, mistake

OBJECTS: Final = (
    "aggregate",
    "cast",
    "collation",
    "column",
    "column order",
    "constraint",
    "database",
    "default grant",
    "domain",
    "enum",
    "event",
    "event trigger",
    "extension",
    "foreign server",
    "foreign table",
    "function",
    "grant",
    "index",
    "materialized view",
    "operator",
    "package",
    "package body",
    "policy",
    "procedure",
    "publication",
    "revision",
    "rule",
    "schema",
    "sequence",
    "statistics",
    "table",
    "text search configuration",
    "text search dictionary",
    "trigger",
    "type",
    "view",
)
"""Kinds of objects that a difference may be of, on any dialect."""


def _object(value: object) -> str:
    text = as_text(value)
    if text not in OBJECTS:
        raise mistake(
            "bad-value", f"no kind of object is called `{text}`", hint=did_you_mean(text, OBJECTS)
        )
    return text


def _day(value: object) -> date:
    text = value.isoformat() if isinstance(value, date) else as_text(value)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise mistake("bad-value", f"expected a day such as `2027-01-31`, found `{text}`") from None


ObjectKind = Annotated[
    str, BeforeValidator(_object), WithJsonSchema({"type": "string", "enum": list(OBJECTS)})
]
Day = Annotated[
    date,
    PlainValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-01-31"]}),
]


class KnownDifference(Model):
    """A difference that is no drift for now."""

    object: ObjectKind | None = Field(
        default=None, description="Kind of object; any unless given.", examples=["index"]
    )
    name: Text = Field(
        default="*",
        description="Its name, as a report has it; `*` and `?` stand for other characters.",
        examples=["orders.ix_*"],
    )
    change: Literal["added", "removed", "altered"] | None = Field(
        default=None, description="What happened to it; anything unless given."
    )
    reason: Text = Field(
        description="Why it is so; stands in every report.", examples=["made by the nightly load"]
    )
    until: Day | None = Field(
        default=None, description="The last day on which it is known.", examples=["2027-01-31"]
    )


class Drift(Model):
    """What the report of differences takes for granted."""

    ignore: Annotated[tuple[KnownDifference, ...], AsList] = Field(
        default=(),
        description="Known differences: reported as such, and no drift.",
        examples=[[{"object": "index", "name": "orders.ix_*", "reason": "made by the load"}]],
    )
