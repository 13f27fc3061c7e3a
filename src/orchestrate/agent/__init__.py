"""The small program that runs beside Alembic, at the other end of a runner.

One self-contained source file that imports only the standard library, alembic and sqlalchemy, and
runs on Python 3.8. Must not import anything of ours: where it runs, we are not installed. This
package only knows the file's text and how an interpreter is made to read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

BOOT: Final = (
    "import os,sys;"
    'sys.version_info<(3,8) and sys.exit("orchestrate: Python 3.8 or newer is needed, this is "'
    "+sys.version.split()[0]+"
    '" at "+str(sys.executable));'
    "sys.path[:]=[p for p in sys.path if p];"
    'requests=os.fdopen(os.dup(0),"rb");'
    'exec(compile(requests.read(int(requests.readline())),"<orchestrate agent>","exec"))'
)
"""What `PYTHON -c` is given: reads a length line and that much source, and keeps the rest.

Without single quotes, backslashes and dollar signs, so that shells on the way leave it alone. ''
goes off `sys.path` first: a local `alembic/` or `logging` would shadow the real one.
"""


def source() -> bytes:
    """Return the agent's source."""
    return Path(__file__).with_name("agent.py").read_bytes()
