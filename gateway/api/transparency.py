"""The audit log to the outside: checkpoint and tiles for anybody, an exchange's proof for its own consumer.

What is public is what c2sp.org/tlog-tiles asks for, and it is hashes alone: an entry's text never leaves
here but to the consumer of that exchange, and then without the hashes by which the log knows people.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field

from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.exchanges import PROBLEMS
from gateway.api.problems import MEDIA_TYPE, problem
from gateway.audit.entry import exchange_salt
from gateway.audit.transparency import TransparentLog
from gateway.audit.tree import parse_tile_path
from gateway.audit.witnesses import accept_cosignatures
from gateway.database import Database
from gateway.errors import NotFound
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer

_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
_FLEETING = {"Cache-Control": "public, max-age=1"}
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
# Integration and the next checkpoint follow each other within about this time.
_RETRY_AFTER_S = 3
_MAX_LEVEL = 63


class ProofOut(BaseModel):
    """What proves an exchange, for the consumer that made it."""

    exchange_id: str
    entry: str = Field(description="The log's entry, byte for byte; its SHA-256 is the leaf's data.")
    entry_sha256: str
    salt: str = Field(
        description="Hexadecimal. request_hash and response_hash of the entry are SHA-256 over these bytes "
        "and the message. Keep it as you keep the answer: with it, a NIK can be guessed from the hash."
    )
    proof: str = Field(description="c2sp.org/tlog-proof@v1, with the signed and cosigned checkpoint.")


def _problem_response(words: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": words, "content": content}


_NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: _problem_response("The signed log holds nothing of this name.")
}
_NOT_A_COSIGNATURE: dict[int | str, dict[str, Any]] = {
    404: _problem_response("The log made no such checkpoint."),
    413: _problem_response("The body is too large."),
    400: _problem_response("The note does not read, or no known witness signed it."),
}


class CheckpointKey(BaseModel):
    """One of the log's keys, and until when it signs beside its successor (UTC)."""

    key: str
    signs_from: datetime
    signs_until: datetime | None = None


class WithdrawnWitness(BaseModel):
    """A witness that was withdrawn: believe of it what was in your hands before."""

    key: str
    withdrawn_at: datetime


class LogKeys(BaseModel):
    """The log's name and public keys. Compare them with a copy that came another way."""

    origin: str
    checkpoint_key: str = Field(description="Verifier key of c2sp.org/signed-note: the newest.")
    checkpoint_keys: list[CheckpointKey] = Field(description="Every key that ever signed, the newest first.")
    receipt_keys: list[dict[str, str]] = Field(
        description="JWKs (RFC 8037) of `Gapura-Receipt`, old ones as well: a receipt names its own by `kid`."
    )
    message_keys: list[dict[str, str]] = Field(
        description="JWKs of the signatures (RFC 9421) on answers, where a consumer wants them; old ones too."
    )
    witnesses: list[str] = Field(description="Verifier keys of the witnesses whose cosignatures are kept.")
    withdrawn_witnesses: list[WithdrawnWitness] = Field(
        description="Those whose cosignatures were kept until then, and count no later."
    )


class Cosigned(BaseModel):
    """Whose cosignatures were kept."""

    witnesses: list[str]


def transparency_router(
    log: TransparentLog,
    database: Database,
    bearer: BearerCheck,
    audit_key: bytes,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The public face of the log, and `GET /v1/exchanges/{id}/proof`."""
    router = APIRouter(tags=["audit"])
    _add_heads(router, log, database, clock)
    _add_tiles(router, log)

    @router.get(
        "/v1/exchanges/{exchange_id}/proof",
        response_model=ProofOut,
        responses={
            **{status: PROBLEMS[status] for status in (401, 403, 503)},
            404: {"description": "You made no such exchange."},
            409: {"description": "`not_yet_integrated`: ask again after `Retry-After` seconds."},
        },
        openapi_extra=CONSUMER_ONLY,
    )
    async def proof(
        request: Request,
        consumer: Annotated[Consumer, Depends(bearer.requiring(None))],
        exchange_id: Annotated[UUID, Path(description="As the answer gave it.")],
    ) -> Any:
        """That your exchange stands in the log, provable to anybody and without asking us again."""
        standing = await asyncio.to_thread(log.ledger.find, exchange_id)
        if standing is None or standing.consumer_id != consumer.id or standing.text is None:
            raise NotFound("You made no such exchange.")
        index = standing.leaf_index
        proven = None if index is None else await asyncio.to_thread(log.ledger.proof, index)
        if proven is None or standing.sha256 is None:
            return problem(
                request,
                409,
                "not_yet_integrated",
                "The entry is on record and waits for the next signed checkpoint.",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )
        return ProofOut(
            exchange_id=str(exchange_id),
            entry=standing.text,
            entry_sha256=standing.sha256.hex(),
            salt=exchange_salt(audit_key, exchange_id).hex(),
            proof=str(proven),
        )

    return router


def _add_heads(
    router: APIRouter, log: TransparentLog, database: Database, clock: Callable[[], datetime]
) -> None:
    @router.get("/log/checkpoint", response_class=Response, responses=_NOT_THERE)
    async def checkpoint() -> Response:
        """The newest signed tree head, with the cosignatures of witnesses (c2sp.org/tlog-checkpoint)."""
        head = await asyncio.to_thread(log.ledger.head)
        if head is None:
            raise NotFound("The log has no checkpoint yet: nothing was ever exchanged.")
        return Response(head.note.encode(), media_type=_TEXT, headers=_FLEETING)

    @router.get("/log/checkpoint/{size}", response_class=Response, responses=_NOT_THERE)
    async def earlier_checkpoint(size: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
        """The checkpoint of exactly this size, with its cosignatures."""
        head = await asyncio.to_thread(log.ledger.head_of, size)
        if head is None:
            raise NotFound("The log made no checkpoint of this size.")
        return Response(head.note.encode(), media_type=_TEXT, headers=_FLEETING)

    @router.get("/log/keys")
    async def keys() -> LogKeys:
        """By what the log's signatures are checked."""
        return await asyncio.to_thread(_published_keys, log)

    @router.post("/log/cosignatures", responses=_NOT_A_COSIGNATURE, openapi_extra=_note_body())
    async def cosignatures(request: Request) -> Cosigned:
        """Hand in a checkpoint that you cosigned, as a witness that is known here."""
        note = (await request.body()).decode(errors="replace")
        return Cosigned(witnesses=await asyncio.to_thread(accept_cosignatures, database, note, clock()))


def _published_keys(log: TransparentLog) -> LogKeys:
    versions = log.keyring.versions("log")
    return LogKeys(
        origin=log.origin,
        checkpoint_key=versions[0].public,
        checkpoint_keys=[
            CheckpointKey(key=one.public, signs_from=one.since, signs_until=one.until) for one in versions
        ],
        receipt_keys=log.keyring.jwks("receipts"),
        message_keys=log.keyring.jwks("messages"),
        witnesses=[str(witness) for witness in log.ledger.witnesses()],
        withdrawn_witnesses=[
            WithdrawnWitness(key=str(one.key), withdrawn_at=one.withdrawn_at)
            for one in log.ledger.withdrawn_witnesses()
        ],
    )


def _add_tiles(router: APIRouter, log: TransparentLog) -> None:
    @router.get("/log/tile/entries/{tile:path}", response_class=Response, responses=_NOT_THERE)
    async def entries(tile: str) -> Response:
        """An entry bundle of c2sp.org/tlog-tiles: each entry is the SHA-256 of a text that is not public."""
        leaves = await asyncio.to_thread(log.ledger.leaves, *_named(tile))
        if leaves is None:
            raise NotFound("The signed tree has no such tile.")
        bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
        return Response(bundle, media_type=_BYTES, headers=_IMMUTABLE)

    @router.get("/log/tile/{level}/{tile:path}", response_class=Response, responses=_NOT_THERE)
    async def hashes(level: Annotated[int, Path(ge=0, le=_MAX_LEVEL)], tile: str) -> Response:
        """A tile of hashes of c2sp.org/tlog-tiles."""
        found = await asyncio.to_thread(log.ledger.tile, level, *_named(tile))
        if found is None:
            raise NotFound("The signed tree has no such tile.")
        return Response(found, media_type=_BYTES, headers=_IMMUTABLE)


def _named(tile: str) -> tuple[int, int]:
    try:
        return parse_tile_path(tile)
    except ValueError:
        raise NotFound("The signed tree has no such tile.") from None


def _note_body() -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}}
