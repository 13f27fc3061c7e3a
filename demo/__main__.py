"""Run the walk and exit with 1 when anything is not as it should be."""

from __future__ import annotations

import sys

from demo.walk import UnexpectedError, copied, walk


def _show(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Walk, and say how it went."""
    try:
        with copied() as folder:
            walk(folder, _show)
    except UnexpectedError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print("\nEverything was as it should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
