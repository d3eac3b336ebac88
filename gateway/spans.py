"""Spans: how long each step of a request takes, for whoever traces it.

A step says here what it is; whether anybody listens was decided where the request came in
(`gateway.telemetry.otlp`). Where nobody does, nothing is measured and nothing is imported. Names and
attributes are catalogued below, so that what a trace may say can be read in one place: counts, codes and
words of this gateway. It MUST NOT say a body, a header, an identifier or name of a person, a statement's
parameter or a token.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

Said = str | int | float | bool
Given = ParamSpec("Given")
Result = TypeVar("Result")

# What is spanned, and what may be said of it. The path of an exchange is that of `gateway.exchange`.
SPANS: Mapping[str, frozenset[str]] = {
    name: frozenset(attributes)
    for name, attributes in {
        "request": ("method", "route", "status", "request_id", "consumer_id"),
        "admit": (),  # the token and its proof
        "decide": (),  # what the agreement covers
        "limit": (),  # what it leaves
        "registry": ("subjects",),
        "source": ("source", "subjects"),  # one connector, until it has answered about everybody
        "attempt": ("source", "failure"),  # one question on the wire to it
        "judge": ("subjects",),  # the programme's rule and the release, person by person
        "evidence": ("kind",),  # intent or outcome, until it is on disk
        "trip": ("to",),  # one transaction; others' requests may share it
    }.items()
}


class Open(Protocol):
    """A span that has begun and not ended."""

    @property
    def traceparent(self) -> str:
        """Who it is, as W3C Trace Context tells it to the next."""

    def child(self, name: str, said: Mapping[str, Said], beside: Iterable[Open]) -> Open:
        """A span within this one, linked to those `beside`, for which it is as well."""

    def note(self, said: Mapping[str, Said]) -> None:
        """Say more of it."""

    def end(self, error: str | None = None) -> None:
        """It is over; `error` is the type of what ended it."""


# The span under which things happen now, and those of others for whom they happen as well; mostly none.
_open: ContextVar[tuple[Open, ...]] = ContextVar("open spans", default=())
_NOTHING: AbstractContextManager[None] = nullcontext()


def span(name: str, **said: Said) -> AbstractContextManager[None]:
    """Let what is done within be one span of the request that is traced, if it is.

    Raises ValueError for what the catalogue does not have.
    """
    opened = _open.get()
    return _Within(opened, name, said) if opened else _NOTHING


def spanned(name: str) -> Callable[[Callable[Given, Awaitable[Result]]], Callable[Given, Awaitable[Result]]]:
    """The same around every call of a coroutine function."""

    def around(function: Callable[Given, Awaitable[Result]]) -> Callable[Given, Awaitable[Result]]:
        async def within_one(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            with span(name):
                return await function(*args, **kwargs)

        @functools.wraps(function)
        def spanning(*args: Given.args, **kwargs: Given.kwargs) -> Awaitable[Result]:
            return within_one(*args, **kwargs) if _open.get() else function(*args, **kwargs)

        return spanning

    return around


def present() -> tuple[Open, ...]:
    """The spans that are open here, to be given to `shared` by whoever does the work later."""
    return _open.get()


def shared(opened: Iterable[tuple[Open, ...]]) -> AbstractContextManager[None]:
    """Let what is done within be done for all of these: the first is told as parent, the others by links."""
    together = tuple(one for of_one in opened for one in of_one)
    return _Under(together) if together or _open.get() else _NOTHING


def traceparent() -> str | None:
    """Who the open span is, for a header field; None where nothing is traced."""
    opened = _open.get()
    return opened[0].traceparent if opened else None


def note(**said: Said) -> None:
    """Say more of the span that is open, if one is."""
    if opened := _open.get():
        opened[0].note(said)


def check(name: str, said: Iterable[str]) -> None:
    """Raise ValueError unless the catalogue has a span of this name that may say all this."""
    if name not in SPANS or not SPANS[name].issuperset(said):
        raise ValueError(f"the catalogue of spans has no {name} that says {sorted(said)}")


class _Under:
    """These spans are open within."""

    __slots__ = ("_opened", "_token")
    _token: Token[tuple[Open, ...]]

    def __init__(self, opened: tuple[Open, ...]) -> None:
        self._opened = opened

    def __enter__(self) -> None:
        self._token = _open.set(self._opened)

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        _open.reset(self._token)


class _Within(_Under):
    """A new span is open within."""

    __slots__ = ("_name", "_said")

    def __init__(self, parents: tuple[Open, ...], name: str, said: Mapping[str, Said]) -> None:
        super().__init__(parents)
        self._name = name
        self._said = said

    def __enter__(self) -> None:
        check(self._name, self._said)
        parent, *beside = self._opened
        self._opened = (parent.child(self._name, self._said, beside),)
        super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._opened[0].end(None if kind is None else kind.__name__)


def rooted(opened: Open) -> AbstractContextManager[None]:
    """Let the span of a whole request, which its opener ends, be open within."""
    return _Under((opened,))
