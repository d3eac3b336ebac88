"""Data balikan: what every user of population data owes Dukcapil in return, delivered to its own service.

Dukcapil refuses what it already has, so delivering again is safe, provided that the same entries go together
again. A NIK MUST NOT leave this module other than in the body of the delivery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from connectors.transport.client import Transport
from connectors.transport.failures import BrokenContract, Misconfigured, Rejected
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import Reply

_BAD_REQUEST = 400
_ALREADY_SENT = "data sudah pernah dikirim"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSettings:
    """Where feedback goes and in whose name. `token_file` holds the bearer token and is read each time."""

    source: SourceSettings
    path: str
    institution_id: str
    institution_name: str
    token_file: Path


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What is returned about one person: the parameters that the agreement with Dukcapil names."""

    nik: str = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)


async def deliver_feedback(
    transport: Transport, settings: FeedbackSettings, entries: Sequence[FeedbackEntry], deadline: float
) -> Literal["delivered", "already_delivered"]:
    """Deliver the entries as one message; both answers mean that Dukcapil has them.

    Raises SourceFailure when it has not, or cannot be known to: the same entries may be sent again later if
    it is a RetryableFailure, otherwise a person must act first.
    """
    reply = await transport.send(
        "POST",
        settings.path,
        deadline=deadline,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {_token(settings)}"},
        content=_message(settings, entries),
        also_answers=frozenset({_BAD_REQUEST}),
        judge=_accepted,
    )
    return "already_delivered" if reply.status == _BAD_REQUEST else "delivered"


def _token(settings: FeedbackSettings) -> str:
    try:
        token = settings.token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        token = ""
    if not token:
        raise Misconfigured("token_file of the feedback service is missing, empty or not plain text")
    return token


def _message(settings: FeedbackSettings, entries: Sequence[FeedbackEntry]) -> bytes:
    message = {
        "id_lembaga": settings.institution_id,
        "nama_lembaga": settings.institution_name,
        "data": [{"NIK": entry.nik, "param": [dict(entry.parameters)]} for entry in entries],
    }
    return json.dumps([message], ensure_ascii=False, separators=(",", ":")).encode()


def _accepted(reply: Reply) -> None:
    """Raise unless Dukcapil has the entries: taken now, or refused because it already had them."""
    said = reply.data.get("message") if isinstance(reply.data, dict) else None
    words = " ".join(said.casefold().split()) if isinstance(said, str) else ""
    if reply.status == _BAD_REQUEST:
        if words != _ALREADY_SENT:
            raise Rejected("the feedback service refuses the entries: check ids and parameters", status=400)
    elif words != "success":
        raise BrokenContract("the feedback service does not confirm that it has the entries")
