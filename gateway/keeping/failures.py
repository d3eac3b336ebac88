"""What is told where the log could not be kept in order, and the line by which a process says it to another.

It MUST say of an error nothing but its type: a text may quote a person.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from gateway.audit.sequencer import LogForked

_FORKED, _NOT_INTEGRATED = "audit:forked", "audit:not_integrated"
_EVENTS = frozenset({_FORKED, _NOT_INTEGRATED})


class Failure(NamedTuple):
    """An event of the telemetry's catalogue, and the type of the error."""

    event: str
    error: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What is told of an error.

        >>> Failure.of(TimeoutError("after 30 s"))
        Failure(event='audit:not_integrated', error='TimeoutError')
        """
        return cls(_FORKED if isinstance(error, LogForked) else _NOT_INTEGRATED, type(error).__name__)

    @classmethod
    def ended(cls, status: int) -> Failure:
        """What is told of a keeper that ended by itself: its exit status, or minus the signal's number."""
        return cls(_NOT_INTEGRATED, f"KeeperEnded({status})")

    @classmethod
    def read(cls, line: bytes) -> Failure | None:
        """What a line says; None where it is not one that `line` wrote."""
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        match said:
            case {"event": str(event), "error": str(error)} if event in _EVENTS and error.isidentifier():
                return cls(event, error)
        return None

    def line(self) -> bytes:
        """The line by which it is said."""
        return orjson.dumps(self._asdict(), option=orjson.OPT_APPEND_NEWLINE)
