"""The key `runbook` of an environment: whom to call, and how its runbooks look.

It changes nothing that is done to a database, so it is in no plan's digest: a new telephone number
neither makes a plan stale nor takes an approval back.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrate.domain.spec_types import AsList, Filled, Model, Path, Text


class RunbookKey(Model):
    """What `orchestrate runbook` adds to what the plan says."""

    contacts: Annotated[tuple[Text, ...], AsList, Filled] = Field(
        default=(),
        description="Whom to call, in this order.",
        examples=[["on call: +49 30 5550 100", "DBA: dba@example.com"]],
    )
    notes: Annotated[tuple[Text, ...], AsList, Filled] = Field(
        default=(),
        description="What else whoever carries it out has to know.",
        examples=[["Tell the warehouse before the first step"]],
    )
    templates: Path | None = Field(
        default=None,
        description="Folder with templates of your own; `orchestrate runbook --eject` writes them.",
        examples=["runbook/"],
    )
