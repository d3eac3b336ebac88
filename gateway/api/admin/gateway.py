"""`/admin/v1/gateway` and `/admin/v1/keys`: what partners are told of this gateway, and which keys it has.

Nothing is rotated here: a new key is a file that other machines and the backup need, or one that partners and
witnesses have to be handed by another way. The commands on the machine do it, and are named.
"""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.api.admin.documentation import staff_route
from gateway.audit.keyring import EvidenceKeyring
from gateway.keys import Keys, KeyState
from gateway.pseudonyms.sector_keys import SectorKeyring, VersionState
from gateway.settings import Settings
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff

_KEY_READERS: tuple[Role, ...] = ("operator", "auditor")


class GatewayOut(BaseModel):
    """The gateway as partners are told of it."""

    version: str = Field(examples=["0.1.0"])
    address: str = Field(description="The OAuth issuer: all addresses below begin with it.")
    mtls_address: str | None = Field(description="Where client certificates are asked for, if elsewhere.")
    token_endpoint: str
    jwks: str
    metadata: str = Field(description="Authorisation server metadata (RFC 8414).")
    documentation: str
    log_keys: str = Field(description="Where the keys of the log, receipts and messages are published.")
    log_checkpoint: str
    log_origin: str = Field(description="The log's name, by which witnesses know it.")
    checkpoint_keys: list[str] = Field(description="That sign checkpoints now, the newest first.")
    token_lifetime_s: int
    database: Literal["sqlite", "postgresql"]
    workers: int
    registry: Literal["own", "mapped"] = Field(
        description="Own tables, or an existing database that is read."
    )


class TokenKeyOut(BaseModel):
    """A key that signs access tokens. `signs_from` is null for the first one."""

    kid: str
    state: KeyState
    signs_from: datetime | None
    published_until: datetime | None


class EvidenceKeyOut(BaseModel):
    """A version of a key of the log, of receipts, or of signed messages. It signs until `until`."""

    version: int
    public: str
    kid: str | None = Field(
        description="How receipts and signed messages name the key (RFC 7638). Null for the log's keys, "
        "which checkpoints name by `public`."
    )
    since: datetime
    until: datetime | None
    signs: bool


class SectorKeyOut(BaseModel):
    """A version of the key by which a sector knows people. `names_until`: taken back until then."""

    sector: str
    version: int
    state: VersionState
    made_at: datetime
    names_until: datetime | None
    destroyed_at: datetime | None


class KeysOut(BaseModel):
    """Every key of the gateway, the newest first; never what makes it one."""

    master_key: Literal["file", "keeper"] = Field(
        description="Where the master key is: a file of the key folder, or a keeper of secrets."
    )
    tokens: list[TokenKeyOut]
    log: list[EvidenceKeyOut]
    receipts: list[EvidenceKeyOut]
    messages: list[EvidenceKeyOut]
    sectors: list[SectorKeyOut]


def gateway_router(
    *,
    settings: Settings,
    keys: Keys,
    keyring: EvidenceKeyring,
    sectors: SectorKeyring,
    check: StaffCheck,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The routes about the gateway itself. They block, in FastAPI's threads."""
    router = APIRouter(tags=["gateway"])

    @staff_route(router, "GET", "/admin/v1/gateway", ROLES)
    def get_gateway(_staff: Annotated[Staff, Depends(check.requiring(*ROLES))]) -> GatewayOut:
        """Version, addresses and key names, to be handed to partners."""
        return _gateway(settings, keyring, clock())

    @staff_route(router, "GET", "/admin/v1/keys", _KEY_READERS)
    def get_keys(_staff: Annotated[Staff, Depends(check.requiring(*_KEY_READERS))]) -> KeysOut:
        """Which keys there are, since when and until when. They are rotated on the machine: `gapura keys`."""
        now = clock()
        return KeysOut(
            master_key="file" if settings.key_source is None else "keeper",
            tokens=_tokens(keys, now),
            log=_evidence(keyring, "log", now),
            receipts=_evidence(keyring, "receipts", now),
            messages=_evidence(keyring, "messages", now),
            sectors=_sectors(sectors, now),
        )

    return router


def _gateway(settings: Settings, keyring: EvidenceKeyring, now: datetime) -> GatewayOut:
    issuer = settings.issuer
    elsewhere = settings.mtls_origin != issuer
    sqlite = settings.effective_database_url.startswith("sqlite")
    return GatewayOut(
        version=version("gapura"),
        address=issuer,
        mtls_address=settings.mtls_origin if elsewhere else None,
        token_endpoint=f"{issuer}/oauth/token",
        jwks=f"{issuer}/oauth/jwks",
        metadata=f"{issuer}/.well-known/oauth-authorization-server",
        documentation=f"{issuer}/docs",
        log_keys=f"{issuer}/log/keys",
        log_checkpoint=f"{issuer}/log/checkpoint",
        log_origin=keyring.origin,
        checkpoint_keys=[one.public for one in keyring.versions("log") if one.signs(now)],
        token_lifetime_s=settings.token_lifetime_s,
        database="sqlite" if sqlite else "postgresql",
        workers=settings.workers,
        registry="own" if settings.registry_file is None else "mapped",
    )


def _tokens(keys: Keys, now: datetime) -> list[TokenKeyOut]:
    return [
        TokenKeyOut(
            kid=one.kid,
            state=one.state,
            signs_from=one.signs_from if one.signs_from.timestamp() else None,
            published_until=one.published_until,
        )
        for one in reversed(keys.statuses(now))
    ]


def _evidence(
    keyring: EvidenceKeyring, purpose: Literal["log", "receipts", "messages"], now: datetime
) -> list[EvidenceKeyOut]:
    versions = keyring.versions(purpose)
    named = [None] * len(versions) if purpose == "log" else [one["kid"] for one in keyring.jwks(purpose)]
    return [
        EvidenceKeyOut(
            version=one.version,
            public=one.public,
            kid=kid,
            since=one.since,
            until=one.until,
            signs=one.signs(now),
        )
        for one, kid in zip(versions, named, strict=True)
    ]


def _sectors(sectors: SectorKeyring, now: datetime) -> list[SectorKeyOut]:
    newest_first = sorted(sectors.versions(), key=lambda one: (one.sector, -one.version))
    return [
        SectorKeyOut(
            sector=one.sector,
            version=one.version,
            state=one.state(now),
            made_at=one.made_at,
            names_until=one.names_until,
            destroyed_at=one.destroyed_at,
        )
        for one in newest_first
    ]
