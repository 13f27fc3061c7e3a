"""What `make wild` wrote is what it would write."""

from __future__ import annotations

from wild import recipes, report, results


def test_the_document_is_made_of_recipes_and_results() -> None:
    """A recipe that was changed since has to be driven again, and nobody edits the page by hand."""
    assert report.DOCUMENT.read_text("utf-8") == report.render(recipes.chains(), results.read())


def test_every_chain_has_its_row() -> None:
    """A chain that is new in the table has to be driven before it is claimed."""
    chains = recipes.chains().values()
    wanted = {f"{chain.name} {one}" for chain in chains for one in chain.all_dialects}
    assert wanted == set(results.read())
