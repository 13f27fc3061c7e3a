"""Kill runs at random and go on as the program says: `python -m stress [DIALECT] [--seed N]`.

The seed of a round decides whom to kill and when; how far the run is by then, the machine does. So
a seed repeats a round as nearly as it can be. A round that went wrong leaves its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from stress.desk import Desk
from stress.rounds import Rounds
from tests.support.databases import KINDS
from wild.databases import Databases

_ROUNDS: Final = 10


def main(arguments: Sequence[str]) -> int:
    """Play rounds; return 1 if one of them went wrong."""
    parser = argparse.ArgumentParser(prog="python -m stress", description=__doc__)
    parser.add_argument("dialects", nargs="*", metavar="DIALECT", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int, help="of the first round; else a new one each time")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of each dialect")
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.dialects} - {*KINDS}):
        parser.error(f"no such dialect: {', '.join(unknown)}")
    new = random.randrange(1_000_000)  # noqa: S311 - not secret
    first = new if options.seed is None else options.seed
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # by way of all that ends processes
    seeds = range(first, first + options.rounds)
    return max([_play(dialect, seeds) for dialect in options.dialects or KINDS])


def _play(dialect: str, seeds: Sequence[int]) -> int:
    """Play the rounds of one dialect; return 1 if something went wrong."""
    began = time.monotonic()
    with contextlib.closing(Databases()) as databases:
        rounds = Rounds(databases, dialect)
        if _tell(f"{dialect} without kills", rounds.play(None)):
            return 1
        wrong = [str(seed) for seed in seeds if _tell(f"{dialect} seed {seed}", rounds.play(seed))]
    verdict = f"wrong: seeds {', '.join(wrong)}" if wrong else "all as without kills"
    print(f"{dialect}: {len(seeds)} rounds in {time.monotonic() - began:.0f} s, {verdict}")
    return 1 if wrong else 0


def _tell(name: str, desk: Desk) -> bool:
    """Print what came of a round; tell whether something was wrong."""
    print(f"{name}: {' '.join(desk.story)} {'WRONG' if desk.findings else 'ok'}", flush=True)
    for finding in desk.findings:
        print(f"  {finding}")
    if desk.findings:
        print(f"  log: {desk.log}", flush=True)
    return bool(desk.findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
