"""A trouble for people: the line after a hint that names its page, and a remark with both."""

from __future__ import annotations

from collections.abc import Sequence

import click

from orchestrate.planning.trouble_pages import page_path


def more_lines(page: str | None) -> Sequence[str]:
    """Return the line that names a page, if there is one."""
    if page is None:
        return []
    label = click.style("more", fg="cyan", bold=True)
    return [f"{label}: {page_path(page)}, or `orchestrate explain {page}`"]


def remark(message: str, hint: str | None, page: str | None) -> str:
    """Return a sentence with its hint and its page on lines of their own."""
    lines = [message]
    lines += [f"  {click.style('hint', fg='cyan')}: {hint}"] if hint else []
    lines += [f"  {click.style('more', fg='cyan')}: {page_path(page)}"] if page else []
    return "\n".join(lines)
