"""Where signatures meet the traffic: requests are checked behind the bearer check, answers signed at the end.

Only what concerns a consumer that wants it is held up: every other answer passes untouched and unbuffered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.audit.keyring import EvidenceKeyring
from gateway.database import Database
from gateway.errors import Unauthenticated
from gateway.keys import Keys
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.certificates import ClientCertificates
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.jose import SIGNATURE_ALGORITHMS, PublicKey
from gateway.signatures.messages import (
    SignableRequest,
    SignableResponse,
    SignatureRefused,
    check_request,
    refuse_unsignable,
    sign_response,
)
from gateway.signatures.terms import Mode, SignatureTerms

_TO_SIGN = "answer_to_sign"
_NEEDS_PROOFS = "What is signed is bound to a DPoP proof, and tokens of this consumer to its certificate."


class SignedBearerCheck(BearerCheck):
    """The bearer check, which also holds consumers to their signatures.

    It leaves beside the request what `SignedAnswers` needs to sign the answer, refusals included.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        issuer: str,
        clock: Callable[[], datetime],
        certificates: ClientCertificates | None = None,
    ) -> None:
        super().__init__(database=database, keys=keys, issuer=issuer, clock=clock, certificates=certificates)
        self._terms = SignatureTerms(database)
        self._consumers = ConsumerStore(database, clock)
        self._address = issuer
        self._now = clock

    async def __call__(self, request: Request, scope: str | None) -> Consumer:
        """The consumer that makes this request. Raises Unauthenticated, or StoreUnavailable."""
        consumer = await super().__call__(request, scope)
        mode = await self._terms.of(consumer.id, request.state.policy_epoch)
        if mode != "off":
            if consumer.certificate_bound:
                raise _refusal(SignatureRefused(_NEEDS_PROOFS), request)
            await self._hold_to_it(request, consumer, mode)
        return consumer

    async def _hold_to_it(self, request: Request, consumer: Consumer, mode: Mode) -> None:
        signable = self._signable(request)
        try:
            refuse_unsignable(signable)
            request.scope["state"][_TO_SIGN] = signable
            if mode == "both":
                body = await request.body()
                keys = await asyncio.to_thread(self._keys_of, consumer.id)
                check_request(signable, body, keys, self._now())
        except SignatureRefused as refusal:
            raise _refusal(refusal, request) from None

    def _keys_of(self, consumer_id: str) -> dict[str, PublicKey]:
        now = self._now()
        keys = self._consumers.get(consumer_id).keys
        return {kid: key.public for kid, key in keys.items() if key.standing(now) == "good"}

    def _signable(self, request: Request) -> SignableRequest:
        raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        query: bytes = request.scope["query_string"]
        # The configured address, as for DPoP: never what the Host header says.
        url = self._address + raw_path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
        return SignableRequest(request.method, url, MutableHeaders(raw=list(request.headers.raw)))


def _refusal(refusal: SignatureRefused, request: Request) -> Unauthenticated:
    return Unauthenticated(
        str(refusal),
        challenge=f'DPoP algs="{" ".join(SIGNATURE_ALGORITHMS)}"',
        code="invalid_signature",
        dpop_nonce=request.state.dpop_nonce,
    )


class SignedAnswers:
    """ASGI middleware that signs the answers that are to be signed; it MUST stand inside of `Edge`."""

    def __init__(self, app: ASGIApp, *, keyring: EvidenceKeyring, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._keyring = keyring
        self._clock = clock

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection event."""
        start: Message | None = None
        body = bytearray()

        async def signing_send(message: Message) -> None:
            nonlocal start
            request: SignableRequest | None = scope.get("state", {}).get(_TO_SIGN)
            if request is None:
                await send(message)
            elif message["type"] == "http.response.start":
                start = message
            elif start is not None:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self._sign(request, start, bytes(body))
                    await send(start)
                    await send({**message, "body": bytes(body)})

        return self._app(scope, receive, signing_send)

    def _sign(self, request: SignableRequest, start: Message, body: bytes) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        response = SignableResponse(start["status"], headers, request)
        key = self._keyring.message_key
        sign_response(response, body, key.private, key.kid, self._clock())
        start["headers"] = headers.raw
