"""The Python API: what the command line does, for programs.

Owns the way from a call to a command and from what that tells to values. Decides nothing: every
method drives the command of its name, so that there is one way to a database (ADR).
"""

from __future__ import annotations

from orchestrate.api.json_values import as_json
from orchestrate.api.orchestrator import Orchestrator
from orchestrate.api.results import Answer, RunFailedError, RunResult
from orchestrate.errors import OrchestrateError

__all__ = [
    "Answer",
    "OrchestrateError",
    "Orchestrator",
    "RunFailedError",
    "RunResult",
    "as_json",
]
