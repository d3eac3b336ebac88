"""`RateLimit-Policy` and `RateLimit`: the limits of an agreement as header fields.

They follow draft-ietf-httpapi-ratelimit-headers-11 (May 2026), a draft still: 429 with `Retry-After` is the
stable contract, these fields are a courtesy. The partition key (`pk`) is the agreement's id. The draft
registers no unit for people, so `qu` says `subjects` and `people`, our own words; its default is requests.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence

from starlette.requests import Request

from gateway.limits.budget import Meter

_DEFAULT_UNIT = "requests"


def header_fields(limits: Sequence[tuple[str, Sequence[Meter]]]) -> list[tuple[bytes, bytes]]:
    """Both fields for some agreements, given by id with their meters; empty if there are none.

    Ids and names need no escaping: they are lower-case letters, digits, hyphens and underscores.
    """
    policies, left = [], []
    for agreement_id, meters in limits:
        key = b64encode(agreement_id.encode()).decode()
        for meter in meters:
            unit = "" if meter.unit == _DEFAULT_UNIT else f';qu="{meter.unit}"'
            policies.append(f'"{meter.name}";q={meter.limit}{unit};w={meter.window_s};pk=:{key}:')
            left.append(f'"{meter.name}";r={meter.left};t={meter.resets_in_s};pk=:{key}:')
    if not policies:
        return []
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(left).encode()),
    ]


def noting(request: Request) -> Callable[[str, Sequence[Meter]], None]:
    """Takes the meters of this request's agreement, for the edge to send with whatever is answered."""

    def note(agreement_id: str, meters: Sequence[Meter]) -> None:
        request.state.rate_limit = header_fields([(agreement_id, meters)])

    return note
