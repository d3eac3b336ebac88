"""How consumers look on the wire of the admin API: what staff send, and what they are shown."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import BadInput
from gateway.oauth.key_sets import MOST_KEYS
from gateway.oauth.registration import Contact, KeyStanding, RegisteredKey, Registration, State

# What an id may look like at all: printable, as ids are. PostgreSQL takes no text with a zero in it.
CONSUMER_ID = r"^[\x21-\x7e]{1,64}$"
ConsumerId = Annotated[str, Path(pattern=CONSUMER_ID, examples=["dinsos-jatim"])]
IfMatch = Annotated[
    str, Header(description="The ETag of the consumer as you saw it.", examples=['"3"'], max_length=32)
]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log. Names no person of the registry.",
        examples=["PKS 12/PDK/2026"],
    ),
]
_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Dinas Sosial Provinsi Jawa Timur"])]
_Sector = Annotated[
    str,
    Field(
        min_length=1,
        max_length=32,
        description="Whose pseudonyms it gets. Another sector renames everybody for it.",
        examples=["dinsos-35"],
    ),
]
_Regions = Annotated[
    Literal["whole_country"] | Annotated[list[str], Field(min_length=1, max_length=600)],
    Field(description="Jurisdiction: Kemendagri codes, or the word `whole_country`.", examples=[["35"]]),
]
_CERTIFICATE_BOUND = (
    "Its tokens are bound to its TLS client certificate (RFC 8705); else to a DPoP key (RFC 9449)."
)
JWK_EXAMPLE = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "kid": "2026-11",
}


class Form(BaseModel):
    """What staff send: exactly the declared members, and why."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: _Reason


class ReasonToChange(Form):
    """Why something is done to a consumer."""


class ContactPoint(BaseModel):
    """Where the agency is reached: an office and the address of a function, of no private person."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    office: Annotated[str, Field(min_length=1, max_length=200, examples=["Bidang Data dan Informasi"])]
    email: Annotated[str, Field(max_length=254, examples=["data.dinsos@example.go.id"])]


class NewConsumer(Form):
    """A consumer to let in. It cannot call before somebody else has approved it."""

    id: Annotated[str, Field(min_length=1, max_length=64, examples=["dinsos-jatim"])]
    name: _Name
    sector: _Sector
    regions: _Regions
    contact: ContactPoint
    jwks: Annotated[
        dict[str, Any],
        Field(
            description=f"Its public keys, a JWK Set (RFC 7517) of 1 to {MOST_KEYS} EC, Ed25519 or RSA keys.",
            examples=[{"keys": [JWK_EXAMPLE]}],
        ),
    ]
    sandbox: bool = Field(False, description="Answer it from synthetic people only.")
    tls_client_certificate_bound_access_tokens: bool = Field(False, description=_CERTIFICATE_BOUND)


class RegistrationChange(Form):
    """What to correct; what is left out stays.

    A wider jurisdiction, another sector, and a certificate in place of DPoP proofs need approval.
    """

    name: _Name | None = None
    sector: _Sector | None = None
    regions: _Regions | None = None
    contact: ContactPoint | None = None
    tls_client_certificate_bound_access_tokens: bool | None = Field(None, description=_CERTIFICATE_BOUND)


class SandboxChange(Form):
    """Into the sandbox at once; out of it, to real people, after approval."""

    sandbox: bool


class KeySummary(BaseModel):
    """One public key. Accepted from `not_before` until before `not_after` (UTC; null: no end)."""

    kid: str
    thumbprint: str = Field(description="RFC 7638; no two consumers have the same.")
    algorithms: list[str]
    standing: KeyStanding
    added_by: str
    approved_by: str | None
    not_before: datetime
    not_after: datetime | None
    overlap_days: int | None


class WaitingChange(BaseModel):
    """A change that waits for approval; null leaves a part as it is."""

    sector: str | None
    regions: _Regions | None
    sandbox: bool | None
    tls_client_certificate_bound_access_tokens: bool | None


class ConsumerSummary(BaseModel):
    """One consumer. `proposed_by` had a hand in what waits: somebody else approves it."""

    id: str
    name: str
    sector: str
    regions: _Regions
    sandbox: bool
    tls_client_certificate_bound_access_tokens: bool
    contact: ContactPoint | None
    state: State
    waiting: WaitingChange | None
    proposed_by: list[str]
    approved_by: str | None
    disabled_by: str | None
    registered_at: datetime
    keys: list[KeySummary]


class ConsumerList(BaseModel):
    """A page of the consumers, disabled ones and proposals too, by id."""

    consumers: list[ConsumerSummary]
    total: int = Field(description="How many are wanted, on all pages.")
    next: str | None = Field(description="The `after` of the next page; null on the last.")


def version_of(if_match: str) -> int:
    """The version that an ETag names. Raises BadInput."""
    version = if_match.strip().strip('"')
    if not (version.isascii() and version.isdigit()):
        raise BadInput('If-Match: expected the ETag of the consumer, such as "3".')
    return int(version)


def codes_of(regions: Literal["whole_country"] | list[str]) -> tuple[str, ...]:
    """Regions as codes; none means the whole country."""
    return tuple(regions) if isinstance(regions, list) else ()


def _regions(codes: tuple[str, ...]) -> Literal["whole_country"] | list[str]:
    return list(codes) or "whole_country"


def contact_of(form: ContactPoint) -> Contact:
    """The contact that a form gives."""
    return Contact(form.office, form.email)


def answer(response: Response, registration: Registration, now: datetime) -> ConsumerSummary:
    """One consumer as it stands, with its ETag."""
    response.headers["ETag"] = f'"{registration.version}"'
    return summary_of(registration, now)


def summary_of(registration: Registration, now: datetime) -> ConsumerSummary:
    """A consumer as staff are shown it; `now` tells how its keys stand."""
    consumer, contact, waiting = registration.consumer, registration.contact, registration.waiting
    waits = WaitingChange(
        sector=waiting.sector,
        regions=None if waiting.regions is None else _regions(waiting.regions),
        sandbox=waiting.sandbox,
        tls_client_certificate_bound_access_tokens=waiting.certificate_bound,
    )
    return ConsumerSummary(
        id=consumer.id,
        name=consumer.name,
        sector=consumer.sector,
        regions=_regions(consumer.regions),
        sandbox=consumer.sandbox,
        tls_client_certificate_bound_access_tokens=consumer.certificate_bound,
        contact=ContactPoint(office=contact.office, email=contact.email) if contact else None,
        state=registration.state,
        waiting=waits if waiting.parts else None,
        proposed_by=sorted(registration.proposers),
        approved_by=registration.approved_by,
        disabled_by=registration.disabled_by,
        registered_at=registration.registered_at,
        keys=[_key(key, now) for key in registration.keys.values()],
    )


def _key(key: RegisteredKey, now: datetime) -> KeySummary:
    return KeySummary(
        kid=key.kid,
        thumbprint=key.public.thumbprint,
        algorithms=sorted(key.public.algorithms),
        standing=key.standing(now),
        added_by=key.added_by,
        approved_by=key.approved_by,
        not_before=key.not_before,
        not_after=key.not_after,
        overlap_days=key.overlap_days,
    )
