"""Plain Alembic, as a user would call it from a script: the measure for `orchestrate apply`.

Runs in a project's own environment, so it imports nothing of ours: `python plain.py REQUEST`, where
REQUEST is a JSON file with the `project` of a spec, the URL, and what to do: `upgrade` or
`downgrade` and a revision. Variables are set by the caller.
"""

import contextlib
import json
import runpy
import sys
from argparse import Namespace
from pathlib import Path

if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    del sys.path[0]  # or the modules beside this one would stand before the project's

from alembic import command
from alembic.config import Config


def main(request):
    """Do to the database of a request what it asks for."""
    project, url = request["project"], request["url"]
    inject = project.get("inject", {})
    hook = runpy.run_path(inject["hook"]) if "hook" in inject else {}
    config = Config(project.get("config"))
    options = {"sqlalchemy.url": url, **project.get("options", {})}
    if "script_location" in project:
        options["script_location"] = project["script_location"]
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    if "x" in inject:
        config.cmd_opts = Namespace(x=[f"{key}={value}" for key, value in inject["x"].items()])
    spec = {"url": url}
    with contextlib.ExitStack() as stack:
        if "attribute" in inject:
            import sqlalchemy  # noqa: PLC0415 - most projects make their engine themselves

            engine = sqlalchemy.create_engine(url)
            config.attributes["connection"] = stack.enter_context(engine.connect())
        for made in (
            hook["session"](spec) if "session" in hook else None,
            hook["around"](config, spec) if "around" in hook else None,
        ):
            if hasattr(made, "__enter__"):
                stack.enter_context(made)
        action, revision = request["do"]
        getattr(command, action)(config, revision)


main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
