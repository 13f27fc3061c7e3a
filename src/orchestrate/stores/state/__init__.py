"""The state store: journal, plans, identities, snapshots and leases, in any SQLAlchemy database.

Owns the tables that are ours and every statement on them. Must not decide anything about runs: what
an event means is `planning`'s business. `docs/state-store.md` describes the tables and the chain.

    with open_state(Secret("sqlite:///state.db"), safe_url="sqlite:///state.db") as state:
        state.append([NewEvent(...)])
"""

from __future__ import annotations

from orchestrate.stores.state.chain import ChainReport
from orchestrate.stores.state.examination import examine_state
from orchestrate.stores.state.store import StateStore, open_state

__all__ = ["ChainReport", "StateStore", "examine_state", "open_state"]
