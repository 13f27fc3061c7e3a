"""With which key an approval is signed, and in whose name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from orchestrate.adapters.signing_keys import SigningKey, agent_keys, private_key, public_key
from orchestrate.adapters.ssh_signatures import fingerprint
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.secrets import Secret
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.errors import OrchestrateError
from orchestrate.planning.allowed_signers import refusal
from orchestrate.planning.approvals import NAMESPACE
from orchestrate.run.approvals import Signers, person


@contextmanager
def chosen_key(
    bench: Workbench, rule: Rule, signers: Signers, key: Path | None, name: str | None
) -> Iterator[tuple[SigningKey, str]]:
    """Give the key to sign with and the person whose it is, for a while.

    `key` is a private key's file, or a public one's whose key the SSH agent has; without it, the
    one key of the agent that may sign. Raises `signing-key-unavailable`, `signer-not-allowed`.
    """
    if key is not None and key.suffix != ".pub":
        chosen = private_key(key, lambda path: _passphrase(bench, path))
        yield chosen, _signer(bench, rule, signers, chosen, name)
        return
    with agent_keys() as held:
        if key is not None:
            chosen = _held(held, key)
            yield chosen, _signer(bench, rule, signers, chosen, name)
            return
        fitting = [one for one in held if _people(bench, rule, signers, one, name)]
        if len(fitting) != 1:
            raise _none_or_several(fitting, held)
        yield fitting[0], _signer(bench, rule, signers, fitting[0], name)


def _passphrase(bench: Workbench, path: Path) -> Secret:
    if not bench.invocation.may_ask:
        raise OrchestrateError(
            "no-input",
            f"The key `{path}` has a passphrase and nobody can be asked",
            hint=f"Add it to the SSH agent, `ssh-add {path}`, and say `--key {path}.pub`",
        )
    return Secret(
        click.prompt(
            f"Passphrase of {path}", default="", show_default=False, hide_input=True, err=True
        )
    )


def _held(held: Sequence[SigningKey], path: Path) -> SigningKey:
    wanted = public_key(path)
    for one in held:
        if one.public == wanted:
            return one
    raise OrchestrateError(
        "signing-key-unavailable",
        f"The SSH agent has no key of `{path}` ({fingerprint(wanted)})",
        hint=f"`ssh-add {path.with_suffix('')}` adds it",
    )


def _none_or_several(fitting: Sequence[SigningKey], held: Sequence[SigningKey]) -> OrchestrateError:
    if fitting:
        names = ", ".join(f"{one.name} ({fingerprint(one.public)})" for one in fitting)
        return OrchestrateError(
            "signing-key-unavailable",
            f"The SSH agent has several keys that may sign: {names}",
            hint="`--key FILE.pub` names one, or `--as EMAIL` who signs",
        )
    there = (
        f"none of the {len(held)} keys of the SSH agent may" if held else "the SSH agent has none"
    )
    return OrchestrateError(
        "signing-key-unavailable",
        f"There is no key to sign with: {there}",
        hint="`--key FILE` names a private key; `ssh-add FILE` adds one to the agent",
    )


# --- in whose name --------------------------------------------------------------------------------


def as_listed(rule: Rule, name: str) -> str:
    """Return a name as `approvers` write it."""
    return next((one for one in rule.approvers if one.casefold() == name.casefold()), name)


def _people(
    bench: Workbench, rule: Rule, signers: Signers, key: SigningKey, name: str | None
) -> list[str]:
    """Return for whom a key may sign, of those that approve here."""
    asked = [as_listed(rule, name)] if name else list(rule.approvers or signers.named)
    if not asked:
        asked = [person(bench.spec.folder)]
    now = bench.clock.now()
    return [one for one in asked if _why_not(signers, one, key, now) is None]


def _why_not(signers: Signers, name: str, key: SigningKey, now: datetime) -> str | None:
    if signers.path is None:
        return "no `allowed_signers` are declared"
    return refusal(signers.lines, principal=name, key=key.public, namespace=NAMESPACE, now=now)


def _signer(
    bench: Workbench, rule: Rule, signers: Signers, key: SigningKey, name: str | None
) -> str:
    """Return who signs. Raises `signer-not-allowed`, or `usage` where it may be several."""
    people = _people(bench, rule, signers, key, name)
    me = as_listed(rule, person(bench.spec.folder))
    if len(people) == 1 or me in people:
        return me if me in people else people[0]
    if people:
        raise OrchestrateError(
            "usage",
            f"{key.name} may sign for {', '.join(people)}",
            hint="`--as EMAIL` says for whom it does",
        )
    asked = as_listed(rule, name or me)
    why = _why_not(signers, asked, key, bench.clock.now())
    raise OrchestrateError(
        "signer-not-allowed",
        f"{key.name} ({fingerprint(key.public)}) may not sign: {why}",
        where=str(signers.path) if signers.path else None,
        hint="A line of `allowed_signers` allows a key: "
        f'`{asked} namespaces="{NAMESPACE}" {key.line}`',
    )
