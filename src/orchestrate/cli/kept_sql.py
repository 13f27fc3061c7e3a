"""SQL of revisions that was rendered before, and what of it has to be rendered now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrate import __version__
from orchestrate.cli.workbench import LOCAL_FOLDER, Workbench
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.planning.linting import Rendered
from orchestrate.planning.revision_rules import (
    leans_on_libraries,
)
from orchestrate.run.access import Access
from orchestrate.run.linting import (
    render,
)
from orchestrate.run.session import Session
from orchestrate.stores.sql_cache import SqlCache


def cache_for(
    bench: Workbench, session: Session, survey: Mapping[str, Any], access: Access
) -> SqlCache:
    """Return where SQL is kept that was rendered with the same env.py and libraries."""
    hello = session.agent.hello(deadline=access.agent_timeout)
    facts = [str(hello[name]) for name in ("python", "alembic", "sqlalchemy")]
    env = (survey["env"] or {}).get("text", "")
    facts += [__version__, access.environment, access.dialect.name, str(access.url_driver), env]
    return SqlCache(bench.spec.folder / LOCAL_FOLDER / "cache", facts)


def with_kept(
    cache: SqlCache,
    kept: Mapping[str, Rendered],
    sources: Sequence[RevisionSource],
    session: Session,
) -> Mapping[str, Rendered]:
    """Return the SQL of all revisions, rendering those alone that were not rendered before."""
    known = {
        one.revision: kept[one.sha256] for one in sources if one.revision and one.sha256 in kept
    }
    missing = [one.revision for one in sources if one.revision and one.revision not in known]
    if not missing:
        return known
    return keep_sql(cache, sources, {**known, **render(session, missing)})


def keep_sql(
    cache: SqlCache, sources: Sequence[RevisionSource], rendered: Mapping[str, Rendered]
) -> Mapping[str, Rendered]:
    """Keep the SQL of revisions that lean on nothing that could change; return it all."""
    cache.keep(
        {
            one.sha256: rendered[one.revision]
            for one in sources
            if one.revision and one.revision in rendered and leans_on_libraries(one)
            # What env.py or a server's absence stood in the way of may be there tomorrow.
            if rendered[one.revision].lasts
        }
    )
    return rendered
