"""Declarative multi-environment orchestration of Alembic migrations.

The packages are floors: each imports itself and the floors below it, never a sibling. From the
top: `api`, `cli`, `run`, (`adapters`, `stores`, `reports`), (`planning`, `dialects`), `domain`, and
the modules `errors`, `clock` and `values`. `agent` stands apart and imports none of them.

`from orchestrate import Orchestrator` is the Python API. It is imported when it is asked for:
`import orchestrate` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrate.api import OrchestrateError, Orchestrator, RunFailedError

__all__ = ["OrchestrateError", "Orchestrator", "RunFailedError", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib  # noqa: PLC0415  (only who uses the API pays for it)

    return getattr(importlib.import_module("orchestrate.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
