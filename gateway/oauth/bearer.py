"""The bearer check: from a request with an unverified token and proof to a `Consumer`, or a challenge.

"Bearer" as in RFC 6750, whose place it takes; a token alone is worth nothing here, its holder must prove
the key that it is bound to, for this request, once. Everything that can be refused without the database is
refused before it is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import unquote_plus

from starlette.requests import Request

from gateway.database import Database
from gateway.errors import InsufficientScope, Unauthenticated
from gateway.keys import Keys
from gateway.oauth import dpop, marks
from gateway.oauth.admission import Admission, Barred, Entry
from gateway.oauth.consumers import Consumer
from gateway.oauth.jose import SIGNATURE_ALGORITHMS
from gateway.oauth.nonces import Nonces
from gateway.oauth.tokens import AccessToken, TokenReader, TokenRefused

_CHALLENGE = f'DPoP algs="{" ".join(SIGNATURE_ALGORITHMS)}"'


class BearerCheck:
    """Establishes the consumer of a request. One per process, used from its event loop.

    A request that passes has `request.state.dpop_nonce`, to be sent as `DPoP-Nonce`: a client that keeps it
    is never asked to repeat a request; `request.state.consumer_id`, for the log; and
    `request.state.policy_epoch`, which tells how new the policies must be by which it is decided.
    """

    def __init__(self, *, database: Database, keys: Keys, issuer: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._origin = issuer
        self._clock = clock
        self._tokens = TokenReader(issuer=issuer, keys=keys)
        self._nonces = Nonces(keys.nonce_key)
        self._admission = Admission(database)

    def requiring(self, scope: str | None) -> Callable[[Request], Awaitable[Consumer]]:
        """A FastAPI dependency that gives the consumer, if its token is for `scope`; None takes any token."""

        async def consumer_of_request(request: Request) -> Consumer:
            return await self(request, scope)

        return consumer_of_request

    async def __call__(self, request: Request, scope: str | None) -> Consumer:
        """The consumer that makes this request. Raises Unauthenticated, or StoreUnavailable."""
        now = self._clock()
        now_s = now.timestamp()
        nonce = self._nonces.current(now_s)
        request.state.dpop_nonce = nonce
        unverified_token = _presented_token(request, nonce)
        ath = dpop.token_hash(unverified_token)
        token, proof = self._verify(request, unverified_token, ath, now, nonce)
        outcome = await self._admission(
            Entry(proof.mark, int(now_s) + dpop.MARK_LIFETIME_S, token.revocation_mark, token.client_id)
        )
        if outcome is Barred.PROOF_USED_BEFORE:
            raise _refusal(outcome.code, outcome.detail, nonce)
        if isinstance(outcome, Barred):
            # RFC 6750 knows one word for every token that does not count; the problem's code is precise.
            raise _refusal("invalid_token", outcome.detail, nonce, problem_code=outcome.code)
        if scope is not None and scope not in token.scopes:
            raise InsufficientScope(
                f"The access token was not issued for the scope {scope}.",
                challenge=f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"',
                dpop_nonce=nonce,
            )
        request.state.consumer_id = outcome.consumer.id
        request.state.policy_epoch = outcome.policy_epoch
        return outcome.consumer

    def forget_expired(self, now: datetime) -> int:
        """Delete marks that are no longer needed; gives their number. Blocks; call it now and then."""
        return marks.forget_expired(self._database, now)

    def close(self) -> None:
        """Finish the batch under way."""
        self._admission.close()

    def _verify(
        self, request: Request, unverified_token: str, ath: str, now: datetime, nonce: str
    ) -> tuple[AccessToken, dpop.Proof]:
        try:
            token = self._tokens.read(unverified_token, ath, now)
            proof = dpop.verify_proof(
                request.headers.getlist("dpop"),
                method=request.method,
                origin=self._origin,
                path=_public_path(request),
                now_s=now.timestamp(),
                nonces=self._nonces,
                ath=ath,
            )
        except TokenRefused as refusal:
            raise _refusal("invalid_token", str(refusal), nonce) from None
        except dpop.ProofRefused as refusal:
            raise _refusal(refusal.code, refusal.detail, nonce) from None
        if proof.thumbprint != token.constraint.thumbprint:
            raise _refusal("invalid_token", "The access token is bound to another key.", nonce)
        return token, proof


def _presented_token(request: Request, nonce: str) -> str:
    if "access_token" in unquote_plus(request.scope["query_string"].decode("latin-1")):
        # It is in the logs of whatever stands between by now: never reward that with an answer.
        raise _refusal(
            "invalid_request", "A token in the address is never accepted; consider it lost.", nonce
        )
    credentials = request.headers.getlist("authorization")
    scheme, _, unverified_token = credentials[0].partition(" ") if credentials else ("", "", "")
    if len(credentials) > 1:
        raise _refusal("invalid_request", "Exactly one Authorization header is needed.", nonce)
    if scheme.lower() == "bearer":
        raise _refusal("invalid_token", "Access tokens here are bound to a key: use the DPoP scheme.", nonce)
    if scheme.lower() != "dpop" or not unverified_token:
        raise Unauthenticated(
            "This needs an access token and a DPoP proof.", challenge=_CHALLENGE, dpop_nonce=nonce
        )
    return unverified_token.strip(" ")


def _public_path(request: Request) -> str:
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw_path.decode("latin-1")


def _refusal(code: str, detail: str, nonce: str, *, problem_code: str | None = None) -> Unauthenticated:
    challenge = f'{_CHALLENGE}, error="{code}", error_description="{detail}"'
    return Unauthenticated(detail, challenge=challenge, code=problem_code or code, dpop_nonce=nonce)
