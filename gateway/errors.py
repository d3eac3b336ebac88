"""The one tree of errors, and which of them are worth another try.

    GapuraError
    ├── BadInput                  the caller can mend it; says what, where, expected, got, what to do
    │   ├── BodyTooLarge          the request's body exceeds the limit
    │   ├── IdempotencyKeyReused  the key belongs to another request of the same caller
    │   ├── TextUnusable          a text has a zero byte in it, which no database text can have
    │   ├── SettingsInvalid       all problems of the settings at once
    │   ├── Unfit                 what was given has problems, all of them told at once
    │   ├── PreconditionMissing   a change does not say which state it was made from
    │   └── FileUnusable          a file as a whole cannot be read (single rows are rejected, not raised)
    ├── Unauthenticated           no consumer could be established; carries the RFC 9110 challenge
    │   └── InsufficientScope     one could, but its token was not issued for this operation
    ├── Refused                   a consumer is known, and its agreement does not cover the request
    │   └── LimitExceeded         it does, but a limit of the agreement is used up for now
    ├── NotPermitted              a staff member is known, and may not do this, or not alone
    │   └── RoleMissing           ... for want of a role; says which, and who has it
    ├── NotFound                  the named thing does not exist, or is none of the caller's business
    ├── Conflict                  the act contradicts the present state
    └── Retryable                 the same call may succeed later
        ├── AuditUnavailable      no evidence could be written, so nothing was answered
        ├── SourceUnavailable     an outside source is down and the agreement says to refuse then
        ├── KeysUnavailable       a key that is needed is not on this machine, or its keeper is away
        └── StoreUnavailable      the database cannot be reached

Whether a second try is worth it is a type, decided where the failure is seen, once. HTTP status codes
are given in `gateway.api.problems` and nowhere else. A message MUST NOT contain a personal value: it may
name fields, positions and shapes, never what stood there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from policies.dictionary import Text


class GapuraError(Exception):
    """Any failure that the gateway foresees.

    `code` is stable, lower-case and safe to program against. `detail` is a sentence for people, in English;
    `said` is the same in both languages, where it was given so. `remedy` is what to do, where the sentence
    does not say it.
    """

    code = "internal_error"
    remedy: Text | None = None

    def __init__(self, detail: str | Text, *, code: str | None = None) -> None:
        self.said = detail if isinstance(detail, Text) else None
        self.detail = detail.en if isinstance(detail, Text) else detail
        super().__init__(self.detail)
        if code is not None:
            self.code = code


class BadInput(GapuraError):  # noqa: N818 - named for what happened, as the tree above reads
    """The input cannot be used as it is; `detail` says how to mend it."""

    code = "bad_input"


class BodyTooLarge(BadInput):
    """The request's body exceeds the limit that the operator set."""

    code = "body_too_large"


class IdempotencyKeyReused(BadInput):
    """An `Idempotency-Key` came with another request than the one that it was first used for."""

    code = "idempotency_key_reused"


class TextUnusable(BadInput):
    """A text that was given has a zero byte in it: PostgreSQL can neither keep it nor look for it."""

    code = "text_unusable"


class SettingsInvalid(BadInput):
    """The settings do not allow a start; `problems` holds every one of them."""

    code = "settings_invalid"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings do not allow a start:\n" + "\n".join(f"  - {p}" for p in problems))
        self.problems = problems


class Unfit(BadInput):
    """What was given cannot be kept; `problems` holds everything that is wrong with it.

    `heading` says what cannot be done, without a full stop. `detail` has all of it in lines, for a console.
    """

    def __init__(self, heading: Text, problems: Sequence[Text]) -> None:
        super().__init__(Text(f"{heading.id}.", f"{heading.en}."))
        self.problems = tuple(problems)
        self.detail = f"{heading.en}:\n" + "\n".join(f"  - {one.en}" for one in problems)
        self.args = (self.detail,)


class PreconditionMissing(BadInput):
    """The request changes something without saying which state of it was seen: `If-Match` is missing."""

    code = "if_match_missing"


class FileUnusable(BadInput):
    """A file as a whole cannot be read: missing, truncated, or without the columns it needs."""

    code = "file_unusable"


class Unauthenticated(GapuraError):  # noqa: N818 - as above
    """No consumer could be established from the request.

    `challenge` is the value of `WWW-Authenticate`; `dpop_nonce`, if set, is sent as `DPoP-Nonce` (RFC 9449).
    """

    code = "unauthenticated"

    def __init__(
        self,
        detail: str | Text,
        *,
        challenge: str,
        code: str | None = None,
        dpop_nonce: str | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.challenge = challenge
        self.dpop_nonce = dpop_nonce


class InsufficientScope(Unauthenticated):
    """The consumer is known, and its token was not issued for this operation (RFC 6750, 3.1)."""

    code = "insufficient_scope"


class Refused(GapuraError):  # noqa: N818 - as above
    """The consumer is known and may not do this; `remedy` says what to ask for, and whom.

    The refusal is in the audit log under `exchange_id`.
    """

    code = "refused"

    def __init__(self, reason: Text, *, code: str, remedy: Text, exchange_id: UUID) -> None:
        super().__init__(reason, code=code)
        self.reason = reason
        self.remedy = remedy
        self.exchange_id = exchange_id


class LimitExceeded(Refused):
    """A limit of the agreement is used up: the same request may fit after `retry_after_s` seconds."""

    code = "limit_exceeded"

    def __init__(
        self, reason: Text, *, code: str, remedy: Text, exchange_id: UUID, retry_after_s: int
    ) -> None:
        super().__init__(reason, code=code, remedy=remedy, exchange_id=exchange_id)
        self.retry_after_s = retry_after_s


class NotPermitted(GapuraError):  # noqa: N818 - as above
    """The staff member is known and may not do this; `detail` says who may, and `code` why it is so."""

    code = "not_permitted"


class RoleMissing(NotPermitted):
    """The act needs one of some roles; `holders` are the ids of those who have each of them now."""

    code = "role_missing"

    def __init__(self, holders: Mapping[str, Sequence[str]]) -> None:
        super().__init__(
            Text(
                f"Ini memerlukan peran {' atau '.join(holders)}.",
                f"This needs the role {' or '.join(holders)}.",
            )
        )
        self.holders = holders


class NotFound(GapuraError):  # noqa: N818 - as above
    """The named thing does not exist, or is none of the caller's business: the two look the same."""

    code = "not_found"


class Conflict(GapuraError):  # noqa: N818 - as above
    """The act contradicts the present state; `detail` says which state, and what would be allowed."""

    code = "conflict"

    @property
    def members(self) -> Mapping[str, Any]:
        """What is told to programmes beside the sentence, as plain values."""
        return {}


class Retryable(GapuraError):  # noqa: N818 - as above
    """The same call may succeed later, unchanged."""

    code = "temporarily_unavailable"


class AuditUnavailable(Retryable):
    """Evidence could not be written, so nothing was answered."""

    code = "audit_unavailable"


class SourceUnavailable(Retryable):
    """An outside source gave no answer, and the agreement says to refuse rather than to answer in part."""

    code = "source_unavailable"


class KeysUnavailable(Retryable):
    """A key is not where it is kept, or its keeper cannot be asked; `detail` names it and says what to do."""

    code = "keys_unavailable"


class StoreUnavailable(Retryable):
    """The database cannot be reached, or did not answer in time."""

    code = "store_unavailable"
