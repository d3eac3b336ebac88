"""How an answer to a consumer leaves, whatever was asked: under the policies of its admission, receipted.

One place for what every question has in common at the edge: which book decides it, what the log and the
metrics hear, and the receipt over the entry that is on disk. It MUST NOT look into the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway.agreements.live import LivePolicies
from gateway.api.rate_limit import noting
from gateway.audit.signing import Receipts
from gateway.errors import Refused
from gateway.exchange import Answer, NoteLimits
from gateway.oauth.consumers import Consumer
from gateway.telemetry import Telemetry
from policies.agreement import AgreementBook

RECEIPT_HEADER = "Gapura-Receipt"
_RECEIPT_FIELD = RECEIPT_HEADER.lower().encode()
Ask = Callable[[AgreementBook, NoteLimits], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Lets answers leave. One per process."""

    policies: LivePolicies
    receipts: Receipts
    telemetry: Telemetry

    async def __call__(self, request: Request, consumer: Consumer, operation: str, ask: Ask) -> Response:
        """The response to what `ask` answers under the policies of this request. Raises what `ask` raises."""
        book = await self.policies.at(request.state.policy_epoch)
        try:
            said = await ask(book, noting(request))
        except Refused as refusal:
            self.telemetry.exchange_refused(
                exchange_id=str(refusal.exchange_id),
                consumer_id=consumer.id,
                operation=operation,
                reason=refusal.code,
            )
            raise
        self.telemetry.exchange_answered(
            exchange_id=str(said.exchange_id),
            consumer_id=consumer.id,
            operation=operation,
            outcomes=said.outcomes,
            withheld=said.withheld,
            unavailable=said.unavailable,
        )
        return _Said(said.body, self.receipts.sign(said.logged))


class _Said(Response):
    """An answer whose header fields are known: nothing of them is looked for or encoded again."""

    def __init__(self, body: bytes, receipt: str) -> None:
        self.status_code = 200
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            (_RECEIPT_FIELD, receipt.encode()),
        ]
