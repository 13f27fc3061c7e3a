"""The small program that runs beside Alembic, at the other end of a runner.

One self-contained source file that imports only the standard library, alembic and sqlalchemy, and
runs on Python 3.8. Must not import anything of ours: where it runs, we are not installed. This
package only knows the file's text and how an interpreter is made to read it.
"""

from __future__ import annotations

import marshal
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import Final

_FILE_NAME: Final = "<orchestrate agent>"
"""What the agent's own frames are called in tracebacks, so that they are told from a project's."""

BOOT: Final = (
    "import os,sys;"
    'sys.version_info<(3,8) and sys.exit("orchestrate: Python 3.8 or newer is needed, this is "'
    "+sys.version.split()[0]+"
    '" at "+str(sys.executable));'
    "import marshal,_frozen_importlib_external as external;"
    "sys.path[:]=[p for p in sys.path if p];"
    'requests=os.fdopen(os.dup(0),"rb");'
    "source,code,magic=requests.readline().split();"
    "source=requests.read(int(source));"
    "code=requests.read(int(code));"
    "exec(marshal.loads(code) if magic.decode()==external.MAGIC_NUMBER.hex()"
    f' else compile(source,"{_FILE_NAME}","exec"))'
)
"""What `PYTHON -c` is given: reads a header and the agent, and keeps the rest of standard input.

Without single quotes, backslashes and dollar signs, so that shells on the way leave it alone. ''
goes off `sys.path` first: a local `alembic/` or `logging` would shadow the real one.
"""


def payload() -> bytes:
    """Return what BOOT reads: `SOURCE CODE MAGIC` as a line, then that many bytes of each.

    The source is what counts. The compiled code beside it saves an interpreter of our own version,
    the usual case, the time to compile it; any other one leaves it alone.
    """
    path = Path(__file__).with_name("agent.py")
    source = path.read_bytes()
    compiled = SourceFileLoader("orchestrate.agent.agent", str(path)).get_code(
        "orchestrate.agent.agent"
    )
    code = b"" if compiled is None else marshal.dumps(_renamed(compiled))
    header = f"{len(source)} {len(code)} {MAGIC_NUMBER.hex() if code else '-'}\n"
    return header.encode() + source + code


def _renamed(code: CodeType) -> CodeType:
    return code.replace(
        co_filename=_FILE_NAME,
        co_consts=tuple(
            _renamed(one) if isinstance(one, CodeType) else one for one in code.co_consts
        ),
    )
