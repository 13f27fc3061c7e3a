"""Wiring: from the spec and the command line to the things that work.

Heavy libraries are imported inside the methods that need them, after the agents were started: the
agents' own imports and ours then run side by side, which is most of what `plan` takes.
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from orchestrate.adapters.notifications import can_notify
from orchestrate.adapters.roads import Roads
from orchestrate.adapters.templates import far_python, injection, runner_command, shareable
from orchestrate.adapters.url_sources import (
    DatabaseUrl,
    origin_of,
    resolve_state_url,
    resolve_url,
)
from orchestrate.cli.invocation import Invocation
from orchestrate.clock import Clock, SystemClock
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.revisions import Graph
from orchestrate.domain.sightings import Sighting
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.spec_checks import not_enforced
from orchestrate.run.access import Access
from orchestrate.run.observe import Seen, observe_one
from orchestrate.stores.graph_cache import GraphCache
from orchestrate.stores.spec_files import LoadedSpec, load_spec

if TYPE_CHECKING:
    from orchestrate.planning.chain import Chain
    from orchestrate.run.scratch import ScratchPlace
    from orchestrate.stores.state import StateStore

LOCAL_FOLDER: Final = ".orchestrate"


class Workbench:
    """The spec that is worked with, and what hangs on it."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.clock: Clock = SystemClock()
        self.redactor = invocation.redactor
        self._chains: dict[str, Chain] = {}
        self._sightings: dict[str, Sighting | None] = {}
        self.spec: LoadedSpec = load_spec(invocation.spec, start=invocation.folder)
        self.roads = Roads(
            ask=invocation.ask_secret if invocation.may_ask else None, redactor=self.redactor
        )
        """The SSH connections of this command; none is made before its first use."""
        invocation.close_later(self.roads.close)

    @cached_property
    def state(self) -> StateStore:
        """Return the state store, opened at its first use. Raises `state-unavailable`."""
        from orchestrate.run.journal import broken_chain  # noqa: PLC0415  (see the module)
        from orchestrate.stores.state import open_state  # noqa: PLC0415

        url = resolve_state_url(self.spec)
        self.learn(url)
        store = open_state(url.secret, safe_url=url.safe)
        self.invocation.close_later(store.close)
        self.invocation.suspect(lambda: broken_chain(store.verify()))
        return store

    def open_state(self) -> None:
        """Open the state store while somebody else is at work. Raises `state-unavailable`."""
        _ = self.state

    @cached_property
    def tampering(self) -> str | None:
        """Return where the journal's hash chain breaks, read once a call; None if it holds."""
        from orchestrate.run.approvals import tampering  # noqa: PLC0415  (see the module)

        return tampering(self.state)

    @cached_property
    def graphs(self) -> GraphCache:
        """Return the cache of graphs."""
        return GraphCache(self.spec.folder / LOCAL_FOLDER / "cache")

    def environment(self, name: str) -> Environment:
        """Return the environment of that name or alias; raises `unknown-environment`."""
        return self.spec.environment(name)

    def refuse_unenforced(self, environment: Environment) -> None:
        """Raise `not-enforced-yet` when the environment declares a protection we cannot keep.

        Raises `notify-unavailable`.
        """
        self.refuse_untold(environment)
        found = not_enforced(self.spec, environment)
        if found:
            raise OrchestrateError(
                "not-enforced-yet",
                f"{environment.name} declares protection that this version does not enforce",
                hint="Nothing was done. Keep the protection by hand and take the key out of the "
                "spec, or wait for the version that enforces it",
                where=environment.name,
                findings=found,
            )

    def refuse_untold(self, environment: Environment) -> None:
        """Raise `notify-unavailable` where the library that tells people is missing.

        Found out when a plan is made, and not in the night.
        """
        if environment.notify and not can_notify():
            raise OrchestrateError(
                "notify-unavailable",
                f"{environment.name} declares `notify` and the library `apprise` is not installed",
                hint="Install it beside orchestrate: `pip install 'orchestrate[notify]'`",
                where=environment.where("notify"),
            )

    def access(self, environment: Environment) -> Access:
        """Return how the environment's database is reached. Raises `url-unavailable`."""
        url = resolve_url(self.spec, environment)
        self.learn(url)
        return self.access_to(url, self.spec, environment)

    def access_to(self, url: DatabaseUrl, spec: LoadedSpec, environment: Environment) -> Access:
        """Return how a URL's database is reached by what a spec says, this one or another."""
        project = spec.project_of(environment)
        dialect, far = dialect_for(url.backend), far_python(spec, environment)
        driver = project.drivers.get(url.backend, url.driver)
        road = self.roads.to_database(
            url, environment, network=dialect.network, driver=driver, far=far
        )
        message = injection(
            spec,
            environment,
            road.project,
            target_name=environment.name,
            address=road.address,
        )
        return Access(
            environment=environment.name,
            target=environment.name,
            dialect=dialect,
            command=tuple(runner_command(spec, environment)),
            folder=str(spec.folder),
            project=message,
            url=road.project.secret,
            declared_url=url.secret,
            command_url=road.commands.secret,
            program_url=road.programs.secret,
            url_driver=url.driver,
            roads=self.roads,
            tunnel=road.tunnel,
            far=far,
            shareable=shareable(spec, environment),
            lock_timeout=environment.lock_timeout,
            statement_timeout=environment.statement_timeout,
            agent_timeout=project.agent_timeout,
            step_timeout=project.step_timeout,
            redactor=self.redactor,
            spare=self.invocation.spare,
            origin=origin_of(self.spec, environment),
            on_output=self._show_output if self.invocation.verbosity > 0 else None,
        )

    def scratch_place(self, environment: Environment, access: Access) -> ScratchPlace:
        """Return where scratch databases of a target are made. Raises `url-unavailable`."""
        from orchestrate.run.scratch import ScratchPlace  # noqa: PLC0415  (see the module)

        url = resolve_url(self.spec, environment)

        def access_to(name: str) -> Access:
            other = self.access_to(url.with_database(name), self.spec, environment)
            # What env.py is given beside what the spec fills in goes along.
            return replace(
                other,
                project={
                    **other.project,
                    "x": access.project["x"],
                    "tag": access.project.get("tag"),
                },
            )

        return ScratchPlace(access=access, access_to=access_to, state=self.state, clock=self.clock)

    def chosen(self, names: Sequence[str]) -> list[Environment]:
        """Return the environments of these names, each once; all of them where none is named."""
        found = [self.environment(name) for name in names] or list(self.spec.environments)
        return list({one.name: one for one in found}.values())

    def look_soon(self, access: Access, *, load_pending: bool = False) -> Callable[[], Seen]:
        """Begin to look at a target; the function that is returned waits for what was seen.

        It raises what looking raises. With `load_pending` the agent then loads the revisions, if
        some are pending, while we go on.
        """
        answer: queue.SimpleQueue[Seen | BaseException] = queue.SimpleQueue()

        def look() -> None:
            try:
                seen = observe_one(access, self.graphs)
                if load_pending:
                    seen.load_pending()
                answer.put(seen)
            except BaseException as error:  # noqa: BLE001  (raised again by who waits)
                answer.put(error)

        threading.Thread(target=look, daemon=True, name="look").start()

        def seen() -> Seen:
            found = answer.get()
            if isinstance(found, BaseException):
                raise found
            return found

        return seen

    def chain(self, graph: Graph) -> Chain:
        """Return the chain of a graph, built once: environments of one project share it."""
        from orchestrate.planning.chain import Chain  # noqa: PLC0415  (see the module)

        if graph.digest not in self._chains:
            self._chains[graph.digest] = Chain(graph)
        return self._chains[graph.digest]

    def sightings(
        self, environment: Environment, unknown: Sequence[str], graph: Graph
    ) -> dict[str, Sighting | None]:
        """Return where git has seen revisions; one that nobody can tell of is left out."""
        from orchestrate.adapters.git_history import NoHistoryError, find_revision  # noqa: PLC0415

        folder = self.spec.folder / (self.spec.project_of(environment).directory or ".")
        if graph.revisions:
            # The scripts may lie in another repository than the spec.
            scripts = (folder / graph.revisions[0].file).parent
            folder = scripts if scripts.is_dir() else folder
        for one in unknown:
            if one not in self._sightings:
                with contextlib.suppress(NoHistoryError):
                    self._sightings[one] = find_revision(one, folder)
        return {one: self._sightings[one] for one in unknown if one in self._sightings}

    def load_libraries(self) -> None:
        """Import what planning and the state store need; an agent is starting meanwhile."""
        importlib.import_module("orchestrate.planning.chain")
        importlib.import_module("orchestrate.stores.state")

    def load_libraries_meanwhile(self) -> None:
        """Do the same in a thread, while this one waits for an agent."""
        threading.Thread(target=self.load_libraries, daemon=True, name="libraries").start()

    def learn(self, url: DatabaseUrl) -> None:
        """Have the secrets of a URL hidden in all output from now on."""
        self.redactor.add_url(url.secret)
        for secret in url.secrets:
            self.redactor.add(secret)

    def _show_output(self, line: str) -> None:
        self.invocation.say(f"  | {line}")

    def identifier(self, kind: str, now: datetime) -> str:
        """Return a new name, in the order of time: `run-20261121-043000-3f9a`."""
        return f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
