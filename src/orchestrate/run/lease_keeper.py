"""Holding a lease while a run works: take it, keep it alive, give it back.

The lease row is the truth between runs that share a state store. A second thread renews it; when
the row is gone or someone else's, `lost` is set and the run stops at its next safe point. A crash
leaves the row behind: it expires, or is taken over at once by a run on the same machine that can
see that the holder's process is gone.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrate.clock import Clock
from orchestrate.domain.leases import Lease
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import StateStore

LEASE_SECONDS: Final = 60
RENEWAL_SECONDS: Final = 15


class LeaseKeeper:
    """A lease that is being kept. `lost` is true once it can no longer be relied on."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.step: str | None = None
        self._lost = threading.Event()
        self._ended = threading.Event()

    @property
    def lost(self) -> bool:
        """Return whether another run may be working on the target by now."""
        return self._lost.is_set()

    def _renew(self, state: StateStore, clock: Clock) -> None:
        while not self._ended.wait(RENEWAL_SECONDS):
            now = clock.now()
            try:
                held = state.heartbeat(
                    self.lease.id,
                    step=self.step,
                    now=now,
                    expires_at=now + timedelta(seconds=LEASE_SECONDS),
                )
            except OrchestrateError:
                # The store may come back before the lease expires; only its word ends the lease.
                continue
            if not held:
                self._lost.set()
                return


@contextmanager
def kept_lease(state: StateStore, wanted: Lease, clock: Clock) -> Iterator[LeaseKeeper]:
    """Take the lease, keep it through the body, release it. Raises `lease-held`."""
    lease = _acquire(state, wanted)
    keeper = LeaseKeeper(lease)
    thread = threading.Thread(
        target=keeper._renew,  # noqa: SLF001  (the keeper's own thread)
        args=(state, clock),
        daemon=True,
        name="lease",
    )
    thread.start()
    try:
        yield keeper
    finally:
        keeper._ended.set()  # noqa: SLF001
        thread.join()
        # A release that fails only delays the next run until the lease expires.
        with contextlib.suppress(OrchestrateError):
            state.release(lease.id)


def _acquire(state: StateStore, wanted: Lease) -> Lease:
    try:
        return state.acquire_lease(wanted)
    except OrchestrateError as error:
        if error.code != "lease-held":
            raise
        for held in state.leases():
            if held.target_key == wanted.target_key and is_dead(held):
                state.break_lease(
                    held.id, by=f"{wanted.holder}: its process is gone", now=wanted.acquired_at
                )
                return state.acquire_lease(wanted)
        raise


def is_dead(lease: Lease) -> bool:
    """Return whether the holder ran on this machine and its process is gone."""
    return lease.host == this_host() and is_gone(lease.pid)


def is_gone(pid: int) -> bool:
    """Return whether this machine has no process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def this_host() -> str:
    """Return the machine's name with its process namespace.

    Two containers of one name do not see each other's processes, and a process number that is
    unknown here may be alive there.
    """
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{namespace}"


def this_person() -> str:
    """Return `user@host` for people; in a container without a user's name, its number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def new_lease(  # the row that a run wants
    *, environment: str, target: str, target_key: str, run: str, clock: Clock, token: str
) -> Lease:
    """Return the lease that a run of this process would hold."""
    now = clock.now()
    return Lease(
        id=f"lease-{token}",
        target_key=target_key,
        environment=environment,
        target=target,
        run=run,
        holder=this_person(),
        host=this_host(),
        pid=os.getpid(),
        step=None,
        acquired_at=now,
        heartbeat_at=now,
        expires_at=now + timedelta(seconds=LEASE_SECONDS),
    )
