"""`orchestrate explain`: the pages of docs/troubles in the terminal."""

from __future__ import annotations

import difflib

import click

from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.errors import CODES, OrchestrateError
from orchestrate.planning.trouble_pages import PAGES, page_path
from orchestrate.reports.tables import table
from orchestrate.stores.pages import read_page


@click.command()
@click.argument("trouble", required=False, metavar="[CODE]")
@global_options
@click.pass_obj
def explain(invocation: Invocation, *, trouble: str | None) -> int:
    """Show the page of an error's code, or of the trouble that a message names; else list them."""
    if trouble is None:
        if invocation.format == "json":
            invocation.json({"troubles": dict(PAGES)})
        else:
            invocation.data(table(("NAME", "WHAT IT IS"), list(PAGES.items())))
        return 0
    name = _known(trouble)
    text = read_page(name) if name in PAGES else f"# {name}\n\n{CODES[name][1]}.\n"
    if invocation.format == "json":
        docs = page_path(name) if name in PAGES else None
        invocation.json({"name": name, "docs": docs, "text": text})
    else:
        invocation.data(text.rstrip())
    return 0


def _known(trouble: str) -> str:
    """Return the name that was meant; a file's name or a code in brackets will do."""
    name = trouble.strip("[]").rpartition("/")[2].removesuffix(".md")
    if name in PAGES or name in CODES:
        return name
    close = difflib.get_close_matches(name, [*PAGES, *CODES], n=1)
    raise OrchestrateError(
        "usage",
        f"No trouble is called `{trouble}`" + (f". Did you mean `{close[0]}`?" if close else ""),
        hint="`orchestrate explain` lists them",
    )
