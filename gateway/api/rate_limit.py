"""`RateLimit-Policy` and `RateLimit`: the limits of an agreement as header fields.

They follow draft-ietf-httpapi-ratelimit-headers-11 (May 2026), a draft still: 429 with `Retry-After` is the
stable contract, these fields are a courtesy. The partition key (`pk`) is the agreement's id. The draft
registers no unit for people, so `qu` says `subjects` and `people`, our own words; its default is requests.

Only what is counted carries them: a request that is malformed, or that no agreement covers, costs nothing and
says nothing of what is left.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from starlette.requests import Request

from gateway.limits.budget import Meter

_DEFAULT_UNIT = "requests"
_LIMITS_KEPT = 4096
# It costs nothing, and carries the fields of every agreement of its consumer.
USAGE_PATH = "/v1/usage"
_FIELDS = ("RateLimit-Policy", "RateLimit")
_LIMIT_REACHED = "429"
# Of a counted request: answered, refused by a limit, or without an answer after it had been counted.
_COUNTED_STATUSES = ("200", _LIMIT_REACHED, "503")
_WHERE = (
    "draft-ietf-httpapi-ratelimit-headers-11; `pk` is the agreement's id in base64. On every answer to a "
    "request that was counted. What is malformed (422), has no valid token (401) or is covered by no "
    "agreement (403) is not counted and does not carry it; reading `/v1/agreements` and `/v1/usage` costs "
    "nothing."
)
_HEADERS: dict[str, Any] = {
    "RateLimit-Policy": {
        "description": "The limits of the agreement: `q` units (`qu`; requests where it is left out) in `w` "
        f"seconds. {_WHERE}",
        "schema": {"type": "string"},
        "example": '"requests_per_minute";q=600;w=60;pk=:YnBqcy1wYmktams=:, '
        '"subjects_per_day";q=200000;qu="subjects";w=86400;pk=:YnBqcy1wYmktams=:',
    },
    "RateLimit": {
        "description": f"What is left of each limit: `r` units, and afresh in `t` seconds. {_WHERE}",
        "schema": {"type": "string"},
        "example": '"requests_per_minute";r=599;t=42;pk=:YnBqcy1wYmktams=:, '
        '"subjects_per_day";r=199999;t=30842;pk=:YnBqcy1wYmktams=:',
    },
    "Retry-After": {
        "description": "Seconds after which the same request may fit again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}


def header_fields(limits: Sequence[tuple[str, Sequence[Meter]]]) -> list[tuple[bytes, bytes]]:
    """Both fields for some agreements, given by id with their meters; empty if there are none.

    Ids and names need no escaping: they are lower-case letters, digits, hyphens and underscores.
    """
    policies, left = [], []
    for agreement_id, meters in limits:
        for meter in meters:
            policy, name, key = _unchanging(agreement_id, meter.name, meter.unit, meter.limit, meter.window_s)
            policies.append(policy)
            left.append(f"{name};r={meter.left};t={meter.resets_in_s};{key}")
    if not policies:
        return []
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(left).encode()),
    ]


# An agreement has three limits, and every counted answer says them.
@lru_cache(maxsize=_LIMITS_KEPT)
def _unchanging(agreement_id: str, name: str, unit: str, limit: int, window_s: int) -> tuple[str, str, str]:
    """The policy of one limit, and with which name and partition key its state is told."""
    key = f"pk=:{b64encode(agreement_id.encode()).decode()}:"
    in_units = "" if unit == _DEFAULT_UNIT else f';qu="{unit}"'
    return f'"{name}";q={limit}{in_units};w={window_s};{key}', f'"{name}"', key


def noting(request: Request) -> Callable[[str, Sequence[Meter]], None]:
    """Takes the meters of this request's agreement, for the edge to send with whatever is answered."""

    def note(agreement_id: str, meters: Sequence[Meter]) -> None:
        request.state.rate_limit = header_fields([(agreement_id, meters)])

    return note


def document(contract: dict[str, Any]) -> None:
    """Tell of the fields in an OpenAPI contract, wherever an operation says that a limit may refuse it."""
    contract.setdefault("components", {}).setdefault("headers", {}).update(_HEADERS)
    for status, response in _telling(contract):
        named = [*_FIELDS, *(["Retry-After"] if status == _LIMIT_REACHED else [])]
        response.setdefault("headers", {}).update(
            {name: {"$ref": f"#/components/headers/{name}"} for name in named}
        )


def _telling(contract: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The responses that carry the fields, each with its status."""
    for path, ways in contract.get("paths", {}).items():
        for operation in ways.values():
            responses = operation.get("responses", {})
            counted = _COUNTED_STATUSES if _LIMIT_REACHED in responses else ()
            telling = ("200",) if path == USAGE_PATH else counted
            yield from ((status, responses[status]) for status in telling if status in responses)
