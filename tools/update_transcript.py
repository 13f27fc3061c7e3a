"""Put the demo's output into README.md, between two markers; or check that it is current there.

    python -m tools.update_transcript            writes
    python -m tools.update_transcript --check    exits with 1 when the README's shape is another

Times, identifiers and the place where it ran differ from walk to walk; the shape leaves them out.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import Final

from demo.walk import ROOT, copied, walk

README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- transcript of `make demo`: begin; written by tools/update_transcript.py -->"
END: Final = "<!-- transcript of `make demo`: end -->"

_PERSON: Final = re.compile(r"[\w.+-]+@[\w.-]+$", re.MULTILINE)
_SHAPE: Final = (
    (re.compile(r"\b(run|plan)-\d{8}-\d{6}-[0-9a-f]{4}\b"), r"\1-ID"),
    (re.compile(r"\b\d+(\.\d)? (s|min|h|d)( \d+ (s|min|h))?\b"), "TIME"),
    (re.compile(r"SQLite [\d.]+"), "SQLite VERSION"),
    (re.compile(r"holds: \d+ events"), "holds: N events"),
    # Columns are as wide as the times and names in them.
    (re.compile(r" {2,}"), "  "),
)


def transcript() -> str:
    """Walk, and return what was shown, with the place and the person as anybody might have them."""
    lines: list[str] = []
    with copied() as folder:
        walk(folder, lines.append)
        text = "\n".join(lines).strip().replace(str(folder), "/home/you/shop")
    return _PERSON.sub("you@laptop", text)


def shape(text: str) -> list[str]:
    """Return the lines of a transcript without what differs from walk to walk."""
    for pattern, word in _SHAPE:
        text = pattern.sub(word, text)
    return text.splitlines()


def _parts(readme: str) -> tuple[str, str, str]:
    before, begin, rest = readme.partition(BEGIN)
    old, end, after = rest.partition(END)
    assert begin, f"{README.name} lacks the line {BEGIN}"
    assert end, f"{README.name} lacks the line {END}"
    return before, old.strip().removeprefix("```console\n").removesuffix("\n```"), after


def main(arguments: list[str]) -> int:
    """Write or check; return the exit status."""
    before, old, after = _parts(README.read_text("utf-8"))
    new = transcript()
    if "--check" not in arguments:
        block = f"{BEGIN}\n```console\n{new}\n```\n{END}"
        Path(README).write_text(f"{before}{block}{after}", "utf-8")
        return 0
    difference = list(
        difflib.unified_diff(shape(old), shape(new), "README.md", "make demo", lineterm="", n=1)
    )
    if difference:
        print("\n".join(difference))
        print("\nThe README's transcript is not what `make demo` prints; `make docs` writes it")
    return int(bool(difference))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
