"""The search for a way into env.py: what is tried, in which order, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrate.domain.diagnosis import Outcome, Survey, Way
from orchestrate.domain.equipment import Driver
from orchestrate.domain.spec_project import Inject
from orchestrate.planning.env_reading import Reading
from orchestrate.planning.injections import Clues, missing_variable, search, worth_searching

PLAIN = Driver(name="psycopg2", module="psycopg2")
ASYNC = Driver(name="asyncpg", module="asyncpg", for_asyncio=True, for_plain_calls=False)
WORKS = Outcome(code="", message="")
ELSEWHERE = Outcome(code="wrong-database", message="env.py connected to another one")


def failed(message: str) -> Outcome:
    """Return what an env.py comes to that raises."""
    return Outcome(code="env-failed", message=message)


def clues(**more: Any) -> Clues:
    """Return what is known of an env.py that says nothing of itself."""
    survey = Survey(
        directory="/app",
        trouble=None,
        sections={},
        script_location="/app/migrations",
        version_locations=(),
        env=None,
        strays={},
        folders={"/app/src": ("shop",)},
        drivers=(PLAIN, ASYNC),
        programs={},
        storage=None,
    )
    given: dict[str, Any] = {
        "declared": Way(inject=Inject(option="sqlalchemy.url")),
        "first": ELSEWHERE,
        "env": Reading(),
        "imported": Reading(),
        "survey": survey,
        "driver": None,
        "drivers": (PLAIN, ASYNC),
    }
    return Clues(**{**given, **more})


def carried_out(
    known: Clues, outcome: Callable[[Way], Outcome]
) -> tuple[Way | None, list[dict[str, Any]]]:
    """Return what the search ends with and every way that it asked to try."""
    ways = search(known)
    tried: list[dict[str, Any]] = []
    try:
        way = next(ways)
        while True:
            tried.append(way.inject.model_dump(exclude_none=True))
            way = ways.send(outcome(way))
    except StopIteration as end:
        return end.value, tried


def test_one_of_many_variables_is_found_in_few_trials() -> None:
    """All at once, then halves: twenty common names take less than ten agents."""

    def outcome(way: Way) -> Outcome:
        env = way.inject.env or ()
        return (
            WORKS
            if "DB_CONNECTION_STRING" in ([env] if isinstance(env, str) else env)
            else ELSEWHERE
        )

    found, tried = carried_out(clues(), outcome)
    assert found is not None
    assert found.inject.env == "DB_CONNECTION_STRING"
    assert len(tried) < 12


def test_the_variable_that_env_py_misses_comes_first() -> None:
    """`KeyError: 'X'` names it, though no text was found that does."""
    known = clues(first=failed("KeyError: 'SHOP_DB_URL'"))
    found, tried = carried_out(
        known, lambda way: WORKS if way.inject.env == "SHOP_DB_URL" else known.first
    )
    assert found is not None
    assert tried == [{"env": "SHOP_DB_URL"}]


def test_two_variables_are_kept_together() -> None:
    """An env.py that insists on both gets both."""
    known = clues(env=Reading(variables=("DATABASE_URL", "ALEMBIC_DATABASE_URL", "REDIS_URL")))

    def outcome(way: Way) -> Outcome:
        return WORKS if isinstance(way.inject.env, dict) and len(way.inject.env) >= 2 else ELSEWHERE

    found, _ = carried_out(known, outcome)
    assert found is not None
    assert found.inject.env == dict.fromkeys(("DATABASE_URL", "ALEMBIC_DATABASE_URL"), "{{ url }}")


def test_other_drivers_only_where_the_driver_is_wrong() -> None:
    """An asynchronous env.py gets an asynchronous driver, with the way that is declared."""
    known = clues(
        first=failed("InvalidRequestError: The asyncio extension requires an async driver")
    )
    found, tried = carried_out(known, lambda way: WORKS if way.driver == "asyncpg" else known.first)
    assert found == Way(inject=Inject(option="sqlalchemy.url"), driver="asyncpg")
    assert len(tried) == 1


def test_package_in_src() -> None:
    """A package that env.py does not find lies in a usual folder."""
    known = clues(first=failed("ModuleNotFoundError: No module named 'shop.settings'"))
    found, _ = carried_out(known, lambda way: WORKS if way.sys_path else known.first)
    assert found is not None
    assert found.sys_path == ("/app/src",)


@pytest.mark.parametrize(
    "message",
    [
        "ModuleNotFoundError: No module named 'flask'",
        "SystemExit: SECRET_KEY is not set. It is a hard requirement",
    ],
)
def test_what_no_way_would_mend(message: str) -> None:
    """A package or a setting of another kind is missing: nothing is tried in vain."""
    gone = clues(first=failed(message))
    assert carried_out(gone, lambda _: gone.first) == (None, [])


def test_what_is_declared_beside_the_url_stays() -> None:
    """A tenant's `-x` and a hook are kept when the URL goes another way."""
    inject = Inject(
        option={"sqlalchemy.url": "{{ url }}", "shop.schema": "s"},
        x={"tenant": "{{ target.name }}"},
        hook="conf/hook.py",
    )
    known = clues(declared=Way(inject=inject), env=Reading(variables=("DATABASE_URL",)))
    found, _ = carried_out(known, lambda way: WORKS if way.inject.env else ELSEWHERE)
    assert found is not None
    assert found.inject == Inject(
        option={"shop.schema": "s"},
        env="DATABASE_URL",
        x={"tenant": "{{ target.name }}"},
        hook="conf/hook.py",
    )


def test_nothing_works() -> None:
    """The search ends, and no way is tried twice."""
    known = clues(env=Reading(variables=("DATABASE_URL",), reads_x=True, reads_attributes=True))
    found, tried = carried_out(known, lambda _: ELSEWHERE)
    assert found is None
    assert {"attribute": "engine"} in tried
    assert len({repr(one) for one in tried}) == len(tried)


def test_what_is_not_worth_a_search() -> None:
    """An unreachable server, a mistake in env.py: no other way would help."""
    assert worth_searching(ELSEWHERE)
    assert worth_searching(failed("KeyError: 'DATABASE_URL'"))
    assert not worth_searching(failed("SyntaxError: invalid syntax"))
    assert not worth_searching(Outcome(code="unreachable", message="refused"))


def test_variable_that_is_not_about_the_database() -> None:
    """What else env.py insists on is named for the user, who alone knows its value."""
    assert missing_variable(failed("KeyError: 'SECRET_KEY'")) == "SECRET_KEY"
    assert missing_variable(failed("KeyError: 'DB_HOST'")) is None
    assert missing_variable(ELSEWHERE) is None
