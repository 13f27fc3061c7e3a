"""What the far end tells without running anything of the project's, in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrate.domain.diagnosis import Interpreter, Source, Storage, Survey
from orchestrate.run.session import Session


def read_interpreter(session: Session) -> Interpreter:
    """Ask which Python answers."""
    found = session.agent.hello(deadline=session.access.agent_timeout)
    return Interpreter(**{name: str(found[name]) for name in Interpreter.__slots__})


def read_survey(session: Session) -> Survey:
    """Look at the project's files and its Python, without running any of it."""
    dialect = session.access.dialect
    found = session.ask(
        "survey",
        modules=[driver.module for driver in dialect.drivers],
        programs=[name for program in dialect.programs for name in program.names],
    )
    env, storage = found["env"], found["storage"]
    return Survey(
        directory=found["directory"],
        trouble=found["trouble"],
        sections={name: tuple(keys) for name, keys in found["sections"].items()},
        script_location=found["script_location"],
        version_locations=tuple(found["version_locations"]),
        env=Source(path=env["path"], text=env["text"]) if env else None,
        strays=found["strays"],
        folders={name: tuple(names) for name, names in found["folders"].items()},
        drivers=tuple(one for one in dialect.drivers if found["drivers"].get(one.module)),
        programs=found["programs"],
        storage=Storage(**storage) if storage else None,
    )


def read_sources(
    session: Session, modules: Sequence[str], *, folders: Sequence[str]
) -> Mapping[str, Source]:
    """Read the text of the project's modules, looked for on `sys.path` and in more folders.

    None is imported; unknown ones are left out.
    """
    found = session.ask("sources", modules=list(modules), folders=list(folders))["found"]
    return {name: Source(**one) for name, one in found.items()}
