"""A headless Chromium that opens a page and tells what it found there.

Owns the program and its flags. The page stands in frames of several widths inside a page of ours,
because its own policy lets no script run in it, and a browser's window has a least width.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Literal

from tests.support.servers import INSTALL, MissingServerError

# Where the script that installs it looks, too.
_PROGRAMS = tuple(
    Path("/usr/bin", name) for name in ("chromium", "chromium-browser", "google-chrome")
)
_FOUND = re.compile(r'<pre id="found">(.*?)</pre>', re.DOTALL)

_HARNESS = """<!doctype html><meta charset="utf-8"><body>%(frames)s<pre id="found"></pre><script>
function look(frame) {
  const page = frame.contentDocument, view = frame.contentWindow;
  const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = numbers(view.getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [], walker = page.createTreeWalker(page.body, view.NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    if (element.closest("title, style")) continue;
    const style = view.getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const pair = [light(numbers(ink)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faint.push(walker.currentNode.data.trim().slice(0, 40) + " " + ratio.toFixed(1));
  }
  const shut = page.querySelector("details:not([open]) > summary");
  shut.click();
  return {
    width: page.documentElement.clientWidth,
    needed: page.documentElement.scrollWidth,
    background: light(behind(page.body)),
    faint: [...new Set(faint)],
    opened: shut.parentElement.open,
    stacked: view.getComputedStyle(page.querySelector(".stacked td")).display,
    cells: page.querySelectorAll("td").length,
    hit: view.parent.hit ?? null,
  };
}
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(look);
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>"""


def find_browser() -> str:
    """Return the browser's program, or raise `MissingServerError`."""
    for program in _PROGRAMS:
        if os.access(program, os.X_OK):
            return str(program)
    raise MissingServerError(f"Chromium is not installed; run `{INSTALL}`")


def looked_at(
    page: str, folder: Path, *, widths: tuple[int, ...], scheme: Literal["light", "dark"]
) -> list[dict[str, Any]]:
    """Return what is found in the page at each width."""
    frames = "".join(
        f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(page)}">'
        "</iframe>"
        for width in widths
    )
    harness = folder / f"harness-{scheme}.html"
    harness.write_text(_HARNESS % {"frames": frames}, "utf-8")
    done = subprocess.run(
        [
            find_browser(),
            "--headless=new",
            "--no-sandbox",  # as root, in a container
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            "--virtual-time-budget=10000",
            "--window-size=1400,1000",
            "--dump-dom",
            harness.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = _FOUND.search(done.stdout)
    assert found is not None, f"{done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    value: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return value
