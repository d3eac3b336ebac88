"""How asking a source can fail, and what each failure asks of the caller.

    SourceFailure
    ├── RetryableFailure       the same question may be answered later
    │   ├── Timeout            no complete answer in the time there was
    │   ├── ConnectionLost     unresolved, refused, reset, or closed before the answer was complete
    │   ├── Overloaded         the source asks for rest (429, 503); perhaps it says for how long
    │   ├── ServerFault        the source says that it failed (5xx, or an error inside a 200)
    │   ├── GarbledAnswer      not HTTP, not the media type, not JSON: somebody else answers, or half of it
    │   └── NoFreeSlot         this gateway had as many questions under way as the source may get
    ├── TerminalFailure        asking again changes nothing
    │   ├── Misconfigured      credentials, certificate or address are wrong: a person must act
    │   ├── QuotaExhausted     the source will not answer before the quota is renewed
    │   ├── Rejected           the source refuses this one question (4xx)
    │   ├── BrokenContract     well-formed, but not what the source's contract says
    │   └── TooLarge           the answer exceeds the size that we are willing to read
    └── BreakerOpen            the source was not asked, because it has just been failing

Whether another try is worth it is the type, decided once, where the failure is seen. `cause` is a sentence
on which a person can act. It MUST NOT hold content, a path, a query or any personal value: it may name the
source's host, a status, a size, a duration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self


class SourceFailure(Exception):  # noqa: N818 - named for what happened, as the tree above reads
    """A source gave no usable answer. `str(failure)` is the cause and safe to log."""

    # What the failure says of the source's health, which is all that the breaker counts:
    # True = it is alive, False = it is ailing, None = nothing.
    alive: bool | None = None
    # Whether other questions to the same source may well be answered.
    this_question_only: bool = False
    # Whether the source may have acted on the question. A question that must not act twice is repeated
    # only where this is False.
    may_have_acted: bool = True
    # Since when the source has been failing (UTC). The transport sets it on everything that it raises.
    since: datetime | None = None

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __copy__(self) -> Self:
        """The same failure for another caller, without the trace of this one."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class RetryableFailure(SourceFailure):
    """The same question may be answered later, unchanged."""


class Timeout(RetryableFailure):
    """No complete answer in the time there was.

    `fair` is False when the caller's deadline left the source too little time to be blamed for it.
    """

    def __init__(self, cause: str, *, fair: bool = True) -> None:
        super().__init__(cause)
        self.alive = False if fair else None
        self.this_question_only = not fair


class ConnectionLost(RetryableFailure):
    """The connection could not be made, or ended before the answer was complete.

    `sent` is False when the question cannot have left.
    """

    alive = False

    def __init__(self, cause: str, *, sent: bool = True) -> None:
        super().__init__(cause)
        self.may_have_acted = sent


class Overloaded(RetryableFailure):
    """The source asks for rest; `retry_after_s` is how long, if it said so.

    A source that says when to come back is alive and obeyed; one that does not is counted as ailing.
    """

    def __init__(
        self, cause: str, *, retry_after_s: float | None = None, may_have_acted: bool = False
    ) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s
        self.may_have_acted = may_have_acted
        self.alive = False if retry_after_s is None else None


class ServerFault(RetryableFailure):
    """The source says that it failed."""

    alive = False


class GarbledAnswer(RetryableFailure):
    """What came back is not the protocol: broken HTTP, another media type, not JSON."""

    alive = False


class NoFreeSlot(RetryableFailure):
    """This gateway already had as many questions under way as the source may get, until the deadline."""

    this_question_only = True
    may_have_acted = False


class TerminalFailure(SourceFailure):
    """Asking again changes nothing."""


class Misconfigured(TerminalFailure):
    """Credentials, certificate or address are wrong; `cause` says which setting to look at.

    `alive` is True where the source itself told us so.
    """

    def __init__(self, cause: str, *, alive: bool | None = None) -> None:
        super().__init__(cause)
        self.alive = alive


class QuotaExhausted(TerminalFailure):
    """The source will not answer before `resumes_at` (UTC), where that is known."""

    alive = True
    may_have_acted = False

    def __init__(self, cause: str, *, resumes_at: datetime | None = None) -> None:
        super().__init__(cause)
        self.resumes_at = resumes_at


class Rejected(TerminalFailure):
    """The source refuses this one question; `status` is what it answered."""

    alive = True
    this_question_only = True

    def __init__(self, cause: str, *, status: int) -> None:
        super().__init__(cause)
        self.status = status


class BrokenContract(TerminalFailure):
    """Well-formed, but not what the source's contract says; for one person's odd record, say."""

    alive = True
    this_question_only = True


class TooLarge(TerminalFailure):
    """The answer exceeds the size that we are willing to read; the rest of it was not read."""

    this_question_only = True


class BreakerOpen(SourceFailure):
    """The source was not asked, because it has just been failing; the next probe is due in `retry_in_s`."""

    may_have_acted = False

    def __init__(self, cause: str, *, retry_in_s: float) -> None:
        super().__init__(cause)
        self.retry_in_s = retry_in_s
