"""Our dataclasses are those of the standard library, made at another time."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orchestrate import values

Make = Callable[..., Any]
BOTH = pytest.mark.parametrize(
    "make", [dataclasses.dataclass, values.dataclass], ids=["theirs", "ours"]
)


def point(make: Make) -> Any:
    """Return a class with a field of every sort."""

    class Point:
        """A place."""

        x: int
        y: int = 0
        tags: list[str] = dataclasses.field(default_factory=list)
        note: str = dataclasses.field(default="", compare=False)
        hidden: str = dataclasses.field(default="", repr=False)
        made: tuple[int, ...] = dataclasses.field(init=False, default=(1, 2))

    return make(frozen=True, slots=True, kw_only=True)(Point)


@BOTH
def test_values_are_made_compared_and_shown(make: Make) -> None:
    kind = point(make)
    one = kind(x=1, note="a", hidden="b")
    assert (one.x, one.y, one.tags, one.note, one.hidden, one.made) == (1, 0, [], "a", "b", (1, 2))
    assert one == kind(x=1, note="other", hidden="b")
    assert one != kind(x=2, note="a", hidden="b")
    assert one != 1
    assert repr(one).endswith("Point(x=1, y=0, tags=[], note='a', made=(1, 2))")
    assert kind(x=1).tags is not kind(x=1).tags
    assert kind.__doc__ == "A place."


@BOTH
def test_frozen_values_do_not_change(make: Make) -> None:
    one = point(make)(x=1)
    changes: list[Callable[[], object]] = [
        lambda: setattr(one, "x", 2),
        lambda: delattr(one, "x"),
    ]
    for change in changes:
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    with pytest.raises((AttributeError, TypeError)):
        one.other = 1
    assert one.x == 1


@BOTH
def test_frozen_values_are_keys(make: Make) -> None:
    class Name:
        text: str

    class Nothing:
        pass

    name, nothing = (make(frozen=True, slots=True)(one) for one in (Name, Nothing))
    assert {name("a"): 1}[name("a")] == 1
    assert len({nothing(), nothing(), name("b")}) == 2


@BOTH
def test_the_standard_library_knows_them(make: Make) -> None:
    kind = point(make)
    one = kind(x=1)
    assert dataclasses.is_dataclass(kind)
    assert [field.name for field in dataclasses.fields(one)][:3] == ["x", "y", "tags"]
    assert dataclasses.replace(one, x=5).x == 5
    assert dataclasses.asdict(one)["tags"] == []
    assert copy.deepcopy(one) == copy.copy(one) == one
    assert vars(kind)["__match_args__"] == ()  # each is given by its name


@BOTH
def test_positional_fields_come_first_and_post_init_last(make: Make) -> None:
    class Sum:
        one: int
        two: int = 2
        total: int = dataclasses.field(default=0, init=False)
        other: int = dataclasses.field(default=1, kw_only=True)

        def __post_init__(self) -> None:
            self.total = self.one + self.two + self.other

    kind = make(slots=True)(Sum)
    assert (kind(1).total, kind(1, 5).total, kind(1, other=2).total) == (4, 7, 5)
    assert kind.__match_args__ == ("one", "two")
    with pytest.raises(TypeError):
        hash(kind(1))


@BOTH
def test_what_does_not_fit_is_a_type_error(make: Make) -> None:
    kind = point(make)
    for positional, named in (((), {}), ((1,), {}), ((), {"x": 1, "z": 2})):
        with pytest.raises(TypeError):
            kind(*positional, **named)


@BOTH
def test_methods_of_a_class_and_of_its_heirs_stay(make: Make) -> None:
    class Secretive:
        text: str

        def __repr__(self) -> str:
            return "***"

    kind = make(frozen=True, slots=True, kw_only=True)(Secretive)

    def shout(self: Any, text: str) -> None:
        kind.__init__(self, text=text.upper())

    heir: Any = type("Heir", (kind,), {"__init__": shout})
    assert repr(kind(text="a")) == "***"
    assert [heir("a").text, heir("b").text] == ["A", "B"]
    assert kind(text="c").text == "c"


def test_two_threads_may_make_the_first() -> None:
    kind = point(values.dataclass)
    found: list[Any] = []
    start = threading.Barrier(4)

    def make_one() -> None:
        start.wait()
        found.append(kind(x=1))

    threads = [threading.Thread(target=make_one) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [kind(x=1)] * 4


@BOTH
def test_what_derives_from_a_frozen_one(make: Make) -> None:
    """A dataclass has to be frozen as well; a plain class may have attributes of its own."""
    kind = make(frozen=True)(type("Kind", (), {"__annotations__": {"x": int}}))
    heir: Any = type("Heir", (kind,), {})(1)
    heir.more = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        heir.x = 2
    assert copy.deepcopy(heir).more == 2
    del heir.more
    with pytest.raises(dataclasses.FrozenInstanceError):
        del heir.x
    assert (vars(heir), heir) == ({"x": 1}, type(heir)(1))
    with pytest.raises(TypeError, match="frozen"):
        dataclasses.dataclass(type("Thawed", (kind,), {}))
    for again in (dataclasses.dataclass, make):
        frozen: Any = again(frozen=True)(type("Frozen", (kind,), {"__annotations__": {"y": int}}))
        assert (frozen(1, 2).y, frozen(1, 2) == frozen(1, 2)) == (2, True)
        with pytest.raises(dataclasses.FrozenInstanceError):
            frozen(1, 2).y = 3


@BOTH
def test_its_signature_is_known_before_the_first(make: Make) -> None:
    class Line:
        start: int
        end: int = 2
        marks: list[int] = dataclasses.field(default_factory=list)
        length: int = dataclasses.field(default=0, init=False)

    kind = make(slots=True)(Line)
    assert (
        str(inspect.signature(kind))
        == "(start: 'int', end: 'int' = 2, marks: 'list[int]' = <factory>) -> None"
    )

    class Own(kind):  # type: ignore[misc, valid-type]
        def __init__(self, text: str) -> None:
            super().__init__(int(text))

    assert str(inspect.signature(Own)) == "(text: 'str') -> 'None'"
    assert Own("3").start == 3
