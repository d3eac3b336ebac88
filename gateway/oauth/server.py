"""The authorization server: Authlib's grant dispatch, client authentication and error shapes, made strict.

Authlib is synchronous: the caller reads the request and runs this in a greenlet of the event loop, which
goes aside wherever the database is waited for. Authlib's defaults are not FAPI's (algorithms, audiences,
lifetimes, bearer tokens), so every check of a signature or a claim is done by `assertions`, `dpop` and
`tokens`, and only the protocol's skeleton is Authlib's.

Revocation and introspection tell a client about its own tokens only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from sqlalchemy.util import await_only

from gateway.database import Database
from gateway.keys import Keys
from gateway.oauth import dpop, tokens
from gateway.oauth.assertions import Assertion, AssertionRefused, verify_assertion
from gateway.oauth.consumers import Consumer
from gateway.oauth.desk import OAuthDesk, Presented
from gateway.oauth.nonces import Nonces

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
REVOCATION_PATH = "/oauth/revoke"
INTROSPECTION_PATH = "/oauth/introspect"
GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_METHOD = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A POST to one of the endpoints, read and free of repeated parameters.

    `certificate` is the thumbprint of the TLS client certificate with which it came, if any.
    """

    form: Mapping[str, str]
    proofs: tuple[str, ...] = ()
    has_authorization: bool = False
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the authorization server, ready to be sent as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's request, at the public address: its check of the transport is about that one."""

    def __init__(self, issuer: str, incoming: FormRequest) -> None:
        super().__init__("POST", issuer)
        self.incoming = incoming
        self.payload = BasicOAuth2Payload(incoming.form)
        self.for_token = False
        self.proof: dpop.Proof | None = None
        self.constraint: tokens.SenderConstraint | None = None

    @property
    def form(self) -> Mapping[str, str]:
        return self.incoming.form


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """An authenticated consumer, as Authlib wants to ask it."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's
        return method == _METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == GRANT_TYPE


class TokenServer(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Issues, revokes and describes access tokens. Its public methods are to be run by `greenlet_spawn`.

    Raises StoreUnavailable when there is no database, and nothing else: every refusal is a Reply.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        issuer: str,
        token_lifetime_s: int,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self.desk = OAuthDesk(database)
        self.keys = keys
        self.issuer = issuer
        self.token_lifetime_s = token_lifetime_s
        self.clock = clock
        self.nonces = Nonces(keys.nonce_key)
        self.register_client_auth_method(_METHOD, self._authenticate)
        self.register_grant(_Grant)
        self.register_endpoint(_Revocation)
        self.register_endpoint(_Introspection)

    def token(self, incoming: FormRequest) -> Reply:
        """A token for the client that the form authenticates, bound as its registration says."""
        grant_type = incoming.form.get("grant_type")
        if grant_type == GRANT_TYPE:
            reply: Reply = self.create_token_response(incoming)
        elif grant_type is None:
            reply = self._refusal(InvalidRequestError("grant_type is missing."))
        else:
            reply = self._refusal(
                OAuth2Error(f"Only {GRANT_TYPE} is supported.", error="unsupported_grant_type")
            )
        nonce = self.nonces.current(self.clock().timestamp())
        return Reply(reply.status, reply.body, {**reply.headers, "DPoP-Nonce": nonce})

    def revoke(self, incoming: FormRequest) -> Reply:
        """Refuse one of the client's tokens from now on, durably (RFC 7009)."""
        reply: Reply = self.create_endpoint_response(_Revocation.ENDPOINT_NAME, incoming)
        return reply

    def introspect(self, incoming: FormRequest) -> Reply:
        """Say what one of the client's tokens is good for (RFC 7662)."""
        reply: Reply = self.create_endpoint_response(_Introspection.ENDPOINT_NAME, incoming)
        return reply

    def _refusal(self, error: OAuth2Error) -> Reply:
        """An OAuth error as an answer."""
        reply: Reply = self.handle_error_response(None, error)
        return reply

    def verify_own_token(self, unverified_token: str, consumer: Consumer) -> tokens.AccessToken | None:
        """The token if it is good and was issued to this consumer, else None."""
        try:
            token = tokens.verify_token(
                unverified_token, issuer=self.issuer, keys=self.keys, now=self.clock()
            )
        except tokens.TokenRefused:
            return None
        return token if token.client_id == consumer.id else None

    # What follows is called by Authlib.

    def create_oauth2_request(self, request: FormRequest | _Request) -> _Request:
        """Wrap the request, once."""
        return request if isinstance(request, _Request) else _Request(self.issuer, request)

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Reply:
        """Keep the answer as a value."""
        return Reply(status, body, dict(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what happened is told by the answer."""

    def query_client(self, client_id: str) -> None:
        """Authlib's own methods of authentication, which would ask this, are not used."""

    def _authenticate(self, _query_client: object, request: _Request) -> _Client:
        form = request.form
        assertion = form.get("client_assertion")
        if request.incoming.has_authorization or "client_secret" in form:
            if assertion is not None:
                raise InvalidRequestError("Authenticate in one way only: by client_assertion.")
            status = 401 if request.incoming.has_authorization else 400
            raise InvalidClientError(f"Authenticate with {_METHOD}: no secret is known.", status_code=status)
        if assertion is None or form.get("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidClientError(
                f"Authenticate with {_METHOD}: client_assertion, and client_assertion_type {ASSERTION_TYPE}."
            )
        try:
            verified = verify_assertion(
                assertion,
                client_id=form.get("client_id"),
                find=lambda consumer_id: await_only(self.desk.find(consumer_id)),
                issuer=self.issuer,
                now_s=self.clock().timestamp(),
            )
        except AssertionRefused as refusal:
            raise InvalidClientError(str(refusal)) from None
        if request.for_token:
            # Before the assertion is used up: to be told what is missing must not cost the client another.
            request.constraint = _constraint(verified.consumer, request)
        self._spend(verified, request.proof)
        client = request.client = _Client(verified.consumer)
        return client

    def _spend(self, assertion: Assertion, proof: dpop.Proof | None) -> None:
        """Use up the assertion and the proof together; on disk before anything is answered."""
        forget_at = int(self.clock().timestamp()) + dpop.MARK_LIFETIME_S
        presented = Presented(
            consumer_id=assertion.consumer.id,
            jti=assertion.jti,
            assertion_ends_at=assertion.forget_at,
            proof_mark=proof.mark if proof else None,
            proof_ends_at=forget_at,
        )
        fresh = await_only(self.desk.spend(presented))
        if not fresh.assertion:
            raise InvalidClientError("This client assertion was used before: make one per request.")
        if not fresh.proof:
            raise OAuth2Error(
                "This DPoP proof was used before: make one per request.", error="invalid_dpop_proof"
            )


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS = (_METHOD,)

    def validate_token_request(self) -> None:
        """Check the proof before the client: to ask for a nonce must not cost the client its assertion."""
        server: TokenServer = self.server
        self.request.for_token = True
        if self.request.incoming.proofs:
            self.request.proof = self._verified_proof()
        super().validate_token_request()
        resource = self.request.form.get("resource")
        if resource not in {None, server.issuer, server.issuer + "/"}:
            raise OAuth2Error(f"The only resource here is {server.issuer}", error="invalid_target")

    def _verified_proof(self) -> dpop.Proof:
        server: TokenServer = self.server
        try:
            return dpop.verify_proof(
                self.request.incoming.proofs,
                method="POST",
                origin=server.issuer,
                path=TOKEN_PATH,
                now_s=server.clock().timestamp(),
                nonces=server.nonces,
            )
        except dpop.ProofRefused as refusal:
            raise OAuth2Error(refusal.detail, error=refusal.code) from None

    def validate_requested_scope(self) -> None:
        """Take the scopes that were asked for, or, if none were, all that a consumer is registered for."""
        scope: str | None = self.request.payload.scope
        wanted = tokens.SCOPES if scope is None else scope.split(" ")
        if not set(wanted) <= set(tokens.SCOPES):
            raise InvalidScopeError(f"scope may hold {' and '.join(tokens.SCOPES)}, one space between them.")
        self.request.scope = " ".join(name for name in tokens.SCOPES if name in wanted)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the token. Not by Authlib's method of this name: that one logs the token."""
        server: TokenServer = self.server
        now = server.clock()
        constraint: tokens.SenderConstraint = self.request.constraint
        body = {
            "access_token": tokens.issue_token(
                client_id=self.client.consumer.id,
                scope=self.request.scope,
                constraint=constraint,
                issuer=server.issuer,
                key=server.keys.signing_key(now),
                now=now,
                lifetime_s=server.token_lifetime_s,
            ),
            "token_type": constraint.token_type,
            "expires_in": server.token_lifetime_s,
            "scope": self.request.scope,
        }
        return 200, body, self.TOKEN_RESPONSE_HEADER


class _Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
    CLIENT_AUTH_METHODS = (_METHOD,)

    def authenticate_token(self, request: _Request, client: _Client) -> tokens.AccessToken | None:
        """The client's token; one that is unknown, expired or another's needs no revocation by it."""
        return self.server.verify_own_token(_token_of(request), client.consumer)  # type: ignore[no-any-return]  # as above

    def revoke_token(self, token: tokens.AccessToken, request: _Request) -> None:  # noqa: ARG002 - Authlib's
        """Mark it, durably."""
        await_only(self.server.desk.revoke(token.revocation_mark, token.expires_at))


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib ships no types
    CLIENT_AUTH_METHODS = (_METHOD,)

    def authenticate_token(self, request: _Request, client: _Client) -> tokens.AccessToken | None:
        """The client's token, unless it was revoked."""
        token: tokens.AccessToken | None = self.server.verify_own_token(_token_of(request), client.consumer)
        if token is None:
            return None
        return None if await_only(self.server.desk.is_revoked(token.revocation_mark)) else token

    def create_introspection_payload(self, token: tokens.AccessToken | None) -> dict[str, Any]:
        """What RFC 7662 asks for; of a token that is not good, only that."""
        if token is None:
            return {"active": False}
        return {
            "active": True,
            "client_id": token.client_id,
            "sub": token.client_id,
            "scope": " ".join(name for name in tokens.SCOPES if name in token.scopes),
            "token_type": token.constraint.token_type,
            "iss": self.server.issuer,
            "aud": self.server.issuer,
            "iat": token.issued_at,
            "exp": token.expires_at,
            "jti": token.jti,
            "cnf": token.constraint.cnf,
        }


def _constraint(consumer: Consumer, request: _Request) -> tokens.SenderConstraint:
    """What the consumer's token is bound to, as its registration says. Raises OAuth2Error without it."""
    certificate, proof = request.incoming.certificate, request.proof
    if not consumer.certificate_bound:
        if proof is None:
            raise OAuth2Error("Exactly one DPoP header is needed, got none.", error="invalid_dpop_proof")
        return tokens.SenderConstraint("jkt", proof.thumbprint)
    if proof is not None:
        raise InvalidRequestError("Tokens of this client are bound to its certificate: send no DPoP proof.")
    if certificate is None:
        raise InvalidRequestError(
            "Tokens of this client are bound to its TLS client certificate: call with it, through the proxy."
        )
    return tokens.SenderConstraint("x5t#S256", certificate)


def _token_of(request: _Request) -> str:
    token = request.form.get("token")
    if token is None:
        raise InvalidRequestError("token is missing.")
    return token
