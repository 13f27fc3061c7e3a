"""Dataclasses that cost a start-up little: their methods are written when they are first needed.

The standard decorator compiles up to six methods for each class, most of a millisecond, and a
command that imports two hundred classes makes instances of a few dozen (ADR 22). This one lets the
standard library find the fields and make the slots, so that `fields`, `replace`, `asdict`, matching
and type checkers see the dataclass that they know. `__init__` is compiled at the first call; the
other methods are the same for all classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
    from inspect import Signature
else:

    def dataclass(
        *, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Callable[[type], type]:
        """Return a decorator that makes a class what `dataclasses.dataclass` would make of it.

        It does not know `InitVar`, and leaves it to that one to derive from another dataclass.
        """

        def made(cls: type) -> type:
            if hasattr(cls, _FIELDS):
                standard = dataclasses.dataclass(frozen=frozen, slots=slots, kw_only=kw_only)
                return standard(cls)

            def __init__(self: Any, *positional: Any, **named: Any) -> None:  # noqa: N807
                whole.__init__ = _written_init(whole, frozen=frozen)
                whole.__init__(self, *positional, **named)

            cls.__init__ = __init__
            _give_methods(cls, frozen=frozen)
            parts = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )
            whole = parts(cls)  # another class, if it has slots
            whole.__dataclass_params__.frozen = frozen  # what derives from it is told of that
            return whole

        return made


class _Factory:
    def __repr__(self) -> str:
        return "<factory>"


_FACTORY: Final = _Factory()
"""What a parameter holds that nobody gave, where the field has a default factory."""


def _give_methods(cls: type, *, frozen: bool) -> None:
    """Put methods on a class that look at its fields when they are called."""
    cls.__eq__ = _equal  # type: ignore[assignment]
    cls.__hash__ = _hash if frozen else None  # type: ignore[assignment]
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _represented  # type: ignore[assignment]
    if frozen:
        cls.__setattr__ = _refuse_to_set  # type: ignore[assignment]
        cls.__delattr__ = _refuse_to_delete  # type: ignore[assignment]
        cls.__getstate__ = _state  # type: ignore[assignment,unused-ignore]
        cls.__setstate__ = _take_state  # type: ignore[attr-defined]
    cls.__signature__ = _SIGNATURE  # type: ignore[attr-defined]
    cls.__doc__ = cls.__doc__ or cls.__name__  # else a signature is made for one


def _written_init(kind: type, *, frozen: bool) -> Callable[..., None]:
    """Return the `__init__` that takes a class's fields."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    parameters: dict[bool, list[str]] = {False: [], True: []}
    body = []
    for field in dataclasses.fields(kind):
        name, made = field.name, field.default_factory is not dataclasses.MISSING
        given = name
        if made:
            names[f"_make_{name}"] = field.default_factory
            given = f"_make_{name}() if {name} is _FACTORY else {name}"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
        if field.init:
            default = "=_FACTORY" if made else f"=_default_{name}"
            has_default = made or field.default is not dataclasses.MISSING
            parameters[bool(field.kw_only)].append(f"{name}{default if has_default else ''}")
        elif made:
            given = f"_make_{name}()"
        elif field.default is not dataclasses.MISSING:
            given = f"_default_{name}"
        else:
            continue
        body.append(f"_set(self, {name!r}, {given})" if frozen else f"self.{name} = {given}")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    named = ["*", *parameters[True]] if parameters[True] else []
    head = ", ".join(["self", *parameters[False], *named])
    source = f"def __init__({head}):\n " + "\n ".join(body or ["pass"])
    exec(source, names)  # noqa: S102 - of names of fields alone
    written: Callable[..., None] = names["__init__"]
    written.__qualname__ = f"{kind.__qualname__}.__init__"
    return written


_FIELDS: Final = "__dataclass_fields__"


class _Signature:
    """The signature of a class whose `__init__` may not be written yet, for `inspect`."""

    def __get__(self, value: object, owner: type) -> Signature:
        if value is not None:
            raise AttributeError("it is the class's")
        from inspect import signature  # noqa: PLC0415  (help is asked for now and then)

        for kind in owner.__mro__:
            if _FIELDS in kind.__dict__:
                own = signature(_written_init(kind, frozen=True))
                types = {one.name: one.type for one in dataclasses.fields(kind)}
                _, *named = own.parameters.values()
                return own.replace(
                    parameters=[one.replace(annotation=types[one.name]) for one in named],
                    return_annotation=None,
                )
            if "__init__" in kind.__dict__:
                break
        raise AttributeError("it has an `__init__` of its own")


_SIGNATURE: Final = _Signature()
_KEYS: Final[dict[type, Callable[[Any], Any]]] = {}


def _key(value: Any) -> Any:
    """Return what a value is compared by."""
    kind = type(value)
    key = _KEYS.get(kind)
    if key is None:
        names = [one.name for one in dataclasses.fields(kind) if one.compare]
        key = _KEYS[kind] = attrgetter(*names) if names else _nothing
    return key(value)


def _nothing(_: Any) -> tuple[()]:
    return ()


def _equal(self: Any, other: Any) -> Any:
    return _key(self) == _key(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_key(self))


def _represented(self: Any) -> str:
    shown = [
        f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr
    ]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: Any) -> None:
    if _is_frozen(self, name):
        told = f"cannot assign to {name!r} of a {type(self).__name__}"
        raise dataclasses.FrozenInstanceError(told)
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: Any, name: str) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete {name!r} of a {type(self).__name__}")
    object.__delattr__(self, name)


def _is_frozen(value: Any, name: str) -> bool:
    """Tell whether an attribute stays: every one, but for what a class derived by hand adds."""
    kind = type(value)
    return _FIELDS in kind.__dict__ or name in getattr(kind, _FIELDS)


def _state(self: Any) -> dict[str, Any]:
    names = [one.name for one in dataclasses.fields(self)]
    return {**getattr(self, "__dict__", {}), **{name: getattr(self, name) for name in names}}


def _take_state(self: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        object.__setattr__(self, name, value)  # a copy that is being made
