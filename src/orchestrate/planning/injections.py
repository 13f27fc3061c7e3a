"""Which ways of handing env.py its URL are worth trying, and in which order.

Pure: `search` is a coroutine that yields ways and is sent what came of each; whoever drives it
(`run/examine.py`) starts an agent for each. Names that may hold a URL are tried all at once first,
since an unused variable does no harm, and then fewer and fewer of them until it is known which
one it is.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.diagnosis import Outcome, Survey, Way
from orchestrate.domain.equipment import Driver
from orchestrate.planning.env_reading import Reading
from orchestrate.planning.variable_names import (
    COMMON_URLS,
    ends_like_url,
    is_url_name,
    part_of,
)
from orchestrate.planning.ways import DEFAULT_OPTION, ByName, laid_over, named
from orchestrate.values import dataclass

Names = tuple[str, ...]
Steps = Generator[Way, Outcome, Way | None]

MOST_TRIALS: Final = 40

_COMMON_X: Final = ("url", "db_url", "database_url", "sqlalchemy_url", "dburl", "dsn", "db")
_COMMON_PREFIXES: Final = ("DB_", "DATABASE_", "POSTGRES_", "MYSQL_", "PG")
_URL_OPTION: Final = re.compile(r"url|uri|dsn|conn|database", re.IGNORECASE)
_KEY_ERROR: Final = re.compile(r"KeyError: ['\"](?P<name>[^'\"]+)['\"]")
_MISSING_VARIABLE: Final = re.compile(
    r"(?:variable|setting|option)s?:? [`'\"]?(?P<after>[A-Z][A-Z0-9_]{2,})"
    r"|[`'\"]?(?P<before>[A-Z][A-Z0-9_]{2,})[`'\"]? (?:is|was|must|has|environment|not|env)\b"
)
_NO_MODULE: Final = re.compile(r"No module named ['\"](?P<name>[\w.]+)['\"]")
_WANTS_ASYNC: Final = re.compile(r"requires an async driver|is not async")
_WANTS_PLAIN: Final = re.compile(r"MissingGreenlet|greenlet_spawn|await_only")
_WANTS_ANOTHER: Final = re.compile(r"No module named|NoSuchModuleError|Can't load plugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """All that is known before anything is tried."""

    declared: Way
    first: Outcome
    """What came of the declared way."""
    env: Reading
    """What env.py itself says."""
    imported: Reading
    """What the modules say that it imports."""
    survey: Survey
    driver: str | None
    """The driver of the URL as it is written."""
    drivers: tuple[Driver, ...]
    """All that are known for the URL's backend, installed or not."""


def worth_searching(outcome: Outcome) -> bool:
    """Tell whether another way of injecting the URL may mend what went wrong."""
    if outcome.code == "wrong-database":
        return True
    if outcome.code not in {"env-failed", "project-unreadable"}:
        return False
    return not outcome.message.startswith(("SyntaxError", "IndentationError", "NameError"))


def search(clues: Clues) -> Steps:
    """Yield ways to try, each once, until one works; return it, or None.

    What came of the declared way is known and not asked for again.
    """
    told: dict[str, Outcome] = {repr(clues.declared): clues.first}
    inner = _search(clues)
    try:
        way = next(inner)
        while True:
            key = repr(way)
            if key not in told:
                if len(told) >= MOST_TRIALS:
                    return None
                told[key] = yield way
            way = inner.send(told[key])
    except StopIteration as end:
        found: Way | None = end.value
        return found


def _search(clues: Clues) -> Steps:
    base, last = clues.declared, clues.first
    for _ in range(3):  # one package may need another
        folder = _folder_of_missing(last, clues.survey, base)
        if folder is None:
            break
        base = replace(base, sys_path=(*base.sys_path, folder))
        last = yield base
        if last.works:
            return base
    driver = yield from _with_other_drivers(base, last, clues)
    if driver is not None:
        return driver
    if not _is_about_driver(last.message, clues) or missing_variable(last) is not None:
        # A package, or a setting of another kind, is missing whichever way the URL goes.
        return None
    for stage in _stages(replace(clues, declared=base, first=last)):
        found = yield from stage
        if found is not None:
            return found
    return None


def _stages(clues: Clues) -> Iterable[Steps]:
    """Return the kinds of ways, those that env.py itself speaks of first."""
    both = (*clues.env.variables, *clues.imported.variables)
    missing = _missing_name(clues.first)
    wanted: Names = (missing,) if missing and missing.isupper() else ()
    urls = _url_names((*wanted, *both), own=clues.env.variables)
    parts = tuple(name for name in dict.fromkeys((*wanted, *both)) if part_of(name))
    yield _option(clues)
    if clues.env.reads_x or clues.imported.reads_x:
        keys: Names = (missing,) if missing and not missing.isupper() else ()
        keys += tuple(name for name in clues.env.x_names if _URL_OPTION.search(name))
        yield _names(clues, tuple(dict.fromkeys((*keys, *_COMMON_X))), "x")
    yield _options(clues)
    yield _names(clues, urls, "env")
    yield _names(clues, parts, "parts")
    if clues.env.reads_attributes or clues.imported.reads_attributes:
        yield _attributes(clues)
    yield _sections(clues)
    yield _names(clues, tuple(name for name in COMMON_URLS if name not in urls), "env")
    if not parts:
        yield _common_parts(clues)


# --- Kinds of ways --------------------------------------------------------------------------------


def _option(clues: Clues) -> Steps:
    """Try what works without a word in the spec."""
    return (yield from _attempt(laid_over(clues.declared, option=DEFAULT_OPTION), clues))


def _options(clues: Clues) -> Steps:
    """Try other options of the configuration that env.py reads."""
    for key in (*clues.env.options, *clues.imported.options):
        if key != DEFAULT_OPTION and _URL_OPTION.search(key):
            found = yield from _attempt(laid_over(clues.declared, option=key), clues)
            if found is not None:
                return found
    return None


def _attributes(clues: Clues) -> Steps:
    for kind in ("connection", "engine"):
        found = yield from _attempt(laid_over(clues.declared, attribute=kind), clues)
        if found is not None:
            return found
    return None


def _sections(clues: Clues) -> Steps:
    """Try named sections; one without a script location is given the project's."""
    known = clues.survey.sections
    for name in dict.fromkeys((*clues.env.sections, *known)):
        if name == (clues.declared.inject.section or "alembic"):
            continue
        way = laid_over(clues.declared, option=DEFAULT_OPTION, section=name)
        if "script_location" not in known.get(name, ()):
            way = replace(way, script_location=clues.survey.script_location)
        found = yield from _attempt(way, clues)
        if found is not None:
            return found
    return None


def _common_parts(clues: Clues) -> Steps:
    """Try the usual families of names, and keep the one that it takes."""
    suffixes = ("HOST", "PORT", "USER", "PASSWORD", "NAME", "DATABASE", "DB")
    names = tuple(prefix + suffix for prefix in _COMMON_PREFIXES for suffix in suffixes)
    found = yield from _attempt_names(clues, names, "parts")
    if found is None:
        return None
    names, way = found
    for prefix in _COMMON_PREFIXES:
        family = tuple(name for name in names if name.startswith(prefix))
        less = _made(clues, "parts", family, way)
        if (yield less).works:
            return less
    return way


def _names(clues: Clues, names: Names, kind: ByName) -> Steps:
    """Try all names at once; where that works, find out which of them it takes."""
    if not names:
        return None
    found = yield from _attempt_names(clues, names, kind)
    if found is None:
        return None
    names, way = found
    # Most often it is the first; else halves, of which one has to work. Parts go together.
    while len(names) > 1 and kind != "parts":
        middle = len(names) // 2
        for half in (names[:1], names[:middle], names[middle:]):
            less = _made(clues, kind, half, way)
            outcome = yield less
            if outcome.works:
                names, way = half, less
                break
        else:
            return way
    return way


def _made(clues: Clues, kind: ByName, names: Names, like: Way) -> Way:
    way = named(kind, clues.declared, names, driver=clues.driver)
    return replace(way, driver=like.driver)


def _attempt_names(
    clues: Clues, names: Names, kind: ByName
) -> Generator[Way, Outcome, tuple[Names, Way] | None]:
    """Try names, and those that env.py then says it misses as well."""
    for _ in range(3):
        way = named(kind, clues.declared, names, driver=clues.driver)
        outcome = yield way
        if outcome.works:
            return names, way
        other = yield from _with_other_drivers(way, outcome, clues)
        if other is not None:
            return names, other
        missing = _missing_name(outcome)
        if missing is None or missing in names or not _fits(missing, kind):
            return None
        names = (missing, *names)
    return None


def _fits(name: str, kind: ByName) -> bool:
    match kind:
        case "x":
            return not name.isupper()
        case "env":
            return ends_like_url(name)
        case "parts":
            return part_of(name) is not None


def _attempt(way: Way, clues: Clues) -> Steps:
    """Try a way, and where only the driver is wrong, with other drivers."""
    outcome = yield way
    if outcome.works:
        return way
    return (yield from _with_other_drivers(way, outcome, clues))


def _with_other_drivers(way: Way, outcome: Outcome, clues: Clues) -> Steps:
    for driver in _fitting_drivers(outcome, clues):
        if driver.name == (way.driver or clues.driver):
            continue
        other = replace(way, driver=driver.name)
        if (yield other).works:
            return other
    return None


def _fitting_drivers(outcome: Outcome, clues: Clues) -> Sequence[Driver]:
    """Return installed drivers that may mend it, best first."""
    there = clues.survey.drivers
    text = outcome.message
    if _WANTS_ASYNC.search(text):
        return [one for one in there if one.for_asyncio]
    if _WANTS_PLAIN.search(text):
        return [one for one in there if one.for_plain_calls]
    if _WANTS_ANOTHER.search(text) and _is_about_driver(text, clues):
        wanted = clues.env.asynchronous
        return sorted(there, key=lambda one: one.for_asyncio is not wanted)
    return ()


def _is_about_driver(text: str, clues: Clues) -> bool:
    """Tell a missing driver from any other missing module."""
    missing = _NO_MODULE.search(text)
    modules = {one.module.split(".")[0] for one in clues.drivers}
    return not missing or missing["name"].split(".")[0] in modules


# --- Names ----------------------------------------------------------------------------------------


def _url_names(names: Iterable[str], *, own: Names) -> Names:
    """Return the names that may hold a URL: about databases first, env.py's own before others."""
    fitting = [
        name
        for name in dict.fromkeys(names)
        if is_url_name(name) or (name in own and ends_like_url(name))
    ]
    return tuple(sorted(fitting, key=lambda name: not is_url_name(name)))


def _missing_name(outcome: Outcome) -> str | None:
    """Return the variable or `-x` name that env.py says it misses."""
    found = _KEY_ERROR.search(outcome.message)
    if found:
        return found["name"] if found["name"].isidentifier() else None
    found = _MISSING_VARIABLE.search(outcome.message)
    return (found["after"] or found["before"]) if found else None


def missing_variable(outcome: Outcome) -> str | None:
    """Return a variable that env.py misses and that has nothing to do with the database."""
    name = _missing_name(outcome)
    if name is None or not name.isupper() or is_url_name(name) or part_of(name):
        return None
    return name


def _folder_of_missing(outcome: Outcome, survey: Survey, way: Way) -> str | None:
    """Return the folder that has the module which env.py could not import."""
    found = _NO_MODULE.search(outcome.message)
    if not found:
        return None
    name = found["name"].split(".")[0]
    for folder, names in survey.folders.items():
        if name in names and folder not in way.sys_path:
            return folder
    return None
