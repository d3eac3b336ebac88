"""The bearer check: from a request with an unverified token and proof to a `Consumer`, or a challenge.

"Bearer" as in RFC 6750, whose place it takes; a token alone is worth nothing here, its holder must prove
the key that it is bound to: by a DPoP proof for this request, once, or by the certificate of its connection.
Which of them is in the token, and no token passes by the other. Everything that can be refused without the
database is refused before it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from starlette.requests import Request

from gateway.database import Database
from gateway.errors import InsufficientScope, Unauthenticated
from gateway.idempotency.attempt import attempt_of, look_up
from gateway.keys import Keys
from gateway.oauth import dpop, marks
from gateway.oauth.admission import Admission, Barred, Entry
from gateway.oauth.certificates import CertificateRefused, ClientCertificates
from gateway.oauth.consumers import Consumer
from gateway.oauth.jose import SIGNATURE_ALGORITHMS
from gateway.oauth.nonces import Nonces
from gateway.oauth.tokens import AccessToken, Confirmation, TokenReader, TokenRefused
from gateway.spans import spanned


class _Way(NamedTuple):
    """A way to present a token and to prove what it is bound to, and how it is asked for."""

    confirmation: Confirmation
    challenge: str


_BY_PROOF = _Way("jkt", f'DPoP algs="{" ".join(SIGNATURE_ALGORITHMS)}"')
_BY_CERTIFICATE = _Way("x5t#S256", 'Bearer realm="gapura"')
_BY_SCHEME = {"dpop": _BY_PROOF, "bearer": _BY_CERTIFICATE}
_BY_CONFIRMATION = {way.confirmation: way for way in _BY_SCHEME.values()}


class BearerCheck:
    """Establishes the consumer of a request. One per process, used from its event loop.

    A request that passes has `request.state.dpop_nonce`, to be sent as `DPoP-Nonce`: a client that keeps it
    is never asked to repeat a request (None where there are no proofs); `request.state.consumer_id`, for the
    log; and `request.state.policy_epoch`, which tells how new the policies must be by which it is decided.
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
        self._database = database
        self._origin = issuer
        self._clock = clock
        self._certificates = certificates or ClientCertificates()
        self._tokens = TokenReader(issuer=issuer, keys=keys)
        self._nonces = Nonces(keys.nonce_key)
        self._admission = Admission(database)

    def requiring(self, scope: str | None) -> Callable[[Request], Awaitable[Consumer]]:
        """A FastAPI dependency that gives the consumer, if its token is for `scope`; None takes any token."""

        async def consumer_of_request(request: Request) -> Consumer:
            consumer = await self(request, scope)
            if attempt_of(request) is not None:
                await asyncio.to_thread(look_up, request, f"consumer/{consumer.id}")
            return consumer

        return consumer_of_request

    @spanned("admit")
    async def __call__(self, request: Request, scope: str | None) -> Consumer:
        """The consumer that makes this request. Raises Unauthenticated, or StoreUnavailable."""
        now = self._clock()
        now_s = now.timestamp()
        nonce = self._nonces.current(now_s)
        way, unverified_token = self._presented_token(request, nonce)
        request.state.dpop_nonce = nonce if way is _BY_PROOF else None
        token, proof_mark = self._verify(request, way, unverified_token, now, nonce)
        outcome = await self._admission(
            Entry(proof_mark, int(now_s) + dpop.MARK_LIFETIME_S, token.revocation_mark, token.client_id)
        )
        if outcome is Barred.PROOF_USED_BEFORE:
            raise _refusal(way, outcome.code, outcome.detail, nonce)
        if isinstance(outcome, Barred):
            # RFC 6750 knows one word for every token that does not count; the problem's code is precise.
            raise _refusal(way, "invalid_token", outcome.detail, nonce, problem_code=outcome.code)
        if outcome.consumer.certificate_bound != (way is _BY_CERTIFICATE):
            raise _refusal(
                way, "invalid_token", "Tokens of this consumer are bound in another way by now.", nonce
            )
        if scope is not None and scope not in token.scopes:
            raise InsufficientScope(
                f"The access token was not issued for the scope {scope}.",
                challenge=f'{way.challenge}, error="insufficient_scope", scope="{scope}"',
                dpop_nonce=request.state.dpop_nonce,
            )
        request.state.consumer_id = outcome.consumer.id
        request.state.policy_epoch = outcome.policy_epoch
        return outcome.consumer

    def forget_expired(self, now: datetime) -> int:
        """Delete marks that are no longer needed; gives their number. Blocks; call it now and then."""
        return marks.forget_expired(self._database, now)

    def close(self) -> None:
        """Give the connection back; no request may be waiting."""
        self._admission.close()

    def _presented_token(self, request: Request, nonce: str) -> tuple[_Way, str]:
        query: bytes = request.scope["query_string"]
        if query and "access_token" in unquote_plus(query.decode("latin-1")):
            # It is in the logs of whatever stands between by now: never reward that with an answer.
            raise _refusal(
                _BY_PROOF,
                "invalid_request",
                "A token in the address is never accepted; consider it lost.",
                nonce,
            )
        credentials = request.headers.getlist("authorization")
        scheme, _, unverified_token = credentials[0].partition(" ") if credentials else ("", "", "")
        way = _BY_SCHEME.get(scheme.lower())
        if len(credentials) > 1:
            raise _refusal(_BY_PROOF, "invalid_request", "Exactly one Authorization header is needed.", nonce)
        if way is _BY_CERTIFICATE and not self._certificates.accepted:
            raise _refusal(
                _BY_PROOF,
                "invalid_token",
                "Access tokens here are bound to a key: use the DPoP scheme.",
                nonce,
            )
        if way is None or not unverified_token:
            ways = _BY_SCHEME.values() if self._certificates.accepted else [_BY_PROOF]
            raise Unauthenticated(
                "This needs an access token and a DPoP proof.",
                challenge=", ".join(way.challenge for way in ways),
                dpop_nonce=nonce,
            )
        return way, unverified_token.strip(" ")

    def _verify(
        self, request: Request, way: _Way, unverified_token: str, now: datetime, nonce: str
    ) -> tuple[AccessToken, str | None]:
        """The token, proven to be the sender's, and the mark of the proof if it was proven by one."""
        ath = dpop.token_hash(unverified_token)
        try:
            token = self._tokens.read(unverified_token, ath, now)
        except TokenRefused as refusal:
            raise _refusal(way, "invalid_token", str(refusal), nonce) from None
        wanted = _BY_CONFIRMATION[token.constraint.method]
        if way is not wanted:
            scheme = token.constraint.token_type
            raise _refusal(
                wanted, "invalid_token", f"The access token is for the {scheme} scheme alone.", nonce
            )
        try:
            thumbprint, mark = self._proven(request, way, ath, now)
        except CertificateRefused as refusal:
            raise _refusal(way, "invalid_token", str(refusal), nonce) from None
        except dpop.ProofRefused as refusal:
            raise _refusal(way, refusal.code, refusal.detail, nonce) from None
        if thumbprint != token.constraint.thumbprint:
            raise _refusal(way, "invalid_token", "The access token is bound to another key.", nonce)
        return token, mark

    def _proven(self, request: Request, way: _Way, ath: str, now: datetime) -> tuple[str, str | None]:
        """The thumbprint of what the sender holds. Raises CertificateRefused or ProofRefused."""
        if way is _BY_CERTIFICATE:
            return self._certificates.required(request.scope, now.timestamp()), None
        proof = dpop.verify_proof(
            request.headers.getlist("dpop"),
            method=request.method,
            origin=self._origin,
            path=_public_path(request),
            now_s=now.timestamp(),
            nonces=self._nonces,
            ath=ath,
        )
        return proof.thumbprint, proof.mark


def _public_path(request: Request) -> str:
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw_path.decode("latin-1")


def _refusal(
    way: _Way, code: str, detail: str, nonce: str, *, problem_code: str | None = None
) -> Unauthenticated:
    return Unauthenticated(
        detail,
        challenge=f'{way.challenge}, error="{code}", error_description="{detail}"',
        code=problem_code or code,
        dpop_nonce=nonce if way is _BY_PROOF else None,
    )
