"""The anchor that does the duty as one writes it first: FastAPI, pydantic, the ORM, a commit per request.

It verifies the token and sees whether it was revoked, decides, reads person, decile and enrolments, applies
the rule, makes the pseudonym, masks, and commits an audit row before it answers. What it lacks beside the
gateway makes it faster: no DPoP proof or certificate, no limits, no Merkle tree, no receipt, policies
written into the code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import BaseModel
from sqlalchemy import JSON, and_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, joinedload, mapped_column, relationship

from gateway.oauth import tables as oauth
from gateway.registry import tables as registry
from tests.benchmarks.anchors import ISSUER

HIGHEST_DECILE = 4
RELEASED = {"region": "generalise", "birth_date": "generalise", "sex": "keep", "decile_period": "keep"}

# A connection for each of the 32 callers: opening more under load would cost more than all the rest.
_engine = create_async_engine(os.environ["BENCH_DATABASE_URL"], pool_size=32, max_overflow=0)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)
_key = ECKey.import_key(json.loads(os.environ["BENCH_TOKEN_KEY"]))
_siv = AESSIV(bytes(range(64)))
_claims = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": ISSUER},
    exp={"essential": True},
)


class Base(DeclarativeBase):
    pass


class Consumer(Base):
    __table__ = oauth.consumers


class RevokedToken(Base):
    __table__ = oauth.revoked_tokens


class Enrolment(Base):
    __table__ = registry.enrolments


class Decile(Base):
    __table__ = registry.household_deciles


class Person(Base):
    __table__ = registry.people
    enrolments = relationship(Enrolment, viewonly=True)
    deciles = relationship(
        Decile,
        primaryjoin=and_(
            registry.people.c.household_id == foreign(registry.household_deciles.c.household_id)
        ),
        viewonly=True,
        uselist=True,
    )


class AuditRow(Base):
    __tablename__ = "naive_audit"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[str]
    consumer_id: Mapped[str]
    subject_hash: Mapped[str]
    request_hash: Mapped[str]
    response_hash: Mapped[str]
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)


class Subject(BaseModel):
    ref: str
    nik: str


class Question(BaseModel):
    purpose: str
    programme: str
    subjects: list[Subject]


class Result(BaseModel):
    ref: str
    pseudonym: str | None = None
    decision: str
    clauses: dict[str, str] = {}
    values: dict[str, Any] = {}


class Answer(BaseModel):
    exchange_id: UUID
    as_of: datetime
    on_date: date
    agreement: str
    fields: dict[str, str]
    results: list[Result]


@asynccontextmanager
async def _prepared(_app: FastAPI) -> AsyncIterator[None]:
    async with _engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=[AuditRow.__table__])
    yield
    await _engine.dispose()


app = FastAPI(lifespan=_prepared)


async def session() -> AsyncIterator[AsyncSession]:
    async with _sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def consumer(session: Session, authorization: Annotated[str, Header()]) -> Consumer:
    scheme, _, unverified_token = authorization.partition(" ")
    try:
        claims = jwt.decode(unverified_token, _key, algorithms=["ES256"]).claims
        _claims.validate(claims)
    except (JoseError, ValueError) as error:
        raise HTTPException(401) from error
    if scheme.lower() != "bearer" or await session.get(RevokedToken, _sha256(claims["jti"])):
        raise HTTPException(401)
    found = await session.get(Consumer, claims["client_id"])
    if found is None or found.state != "active":
        raise HTTPException(403)
    return found


@app.post("/v1/eligibility")
async def eligibility(
    question: Question, session: Session, asking: Annotated[Consumer, Depends(consumer)]
) -> Answer:
    if (asking.id, question.purpose, question.programme) != (
        "bpjs-kesehatan",
        "pbi-jk-eligibility",
        "PBI-JK",
    ):
        raise HTTPException(403)
    today = datetime.now(UTC).date()
    answer = Answer(
        exchange_id=uuid4(),
        as_of=datetime.now(UTC),
        on_date=today,
        agreement="bpjs-pbi-jk",
        fields=RELEASED,
        results=[_result(one, await _person(session, one.nik), today) for one in question.subjects],
    )
    session.add(
        AuditRow(
            id=answer.exchange_id,
            at=answer.as_of.isoformat(),
            consumer_id=asking.id,
            subject_hash=_sha256("".join(one.nik for one in question.subjects)),
            request_hash=_sha256(question.model_dump_json()),
            response_hash=_sha256(answer.model_dump_json()),
            entry={"purpose": question.purpose, "fields": RELEASED, "agreement": answer.agreement},
        )
    )
    await session.commit()
    return answer


async def _person(session: AsyncSession, nik: str) -> Person | None:
    chosen = select(Person).where(Person.nik == nik)
    chosen = chosen.options(joinedload(Person.enrolments), joinedload(Person.deciles))
    found = (await session.scalars(chosen)).unique().all()
    return found[0] if len(found) == 1 else None


def _result(subject: Subject, person: Person | None, today: date) -> Result:
    if person is None:
        return Result(ref=subject.ref, decision="unknown")
    current = [
        d for d in person.deciles if d.period_from <= today and (not d.period_to or d.period_to > today)
    ]
    decile = current[0].decile if current else None
    clauses = {
        "alive": _clause(person.life_status, "alive"),
        "in_registry": _clause(person.registry_status, "active"),
        "identity_matched": _clause(person.identity_status, "matched"),
        "not_ruled_out": "no" if person.welfare_status == "not_eligible" else "yes",
        "decile": "unknown" if decile is None else "yes" if decile <= HIGHEST_DECILE else "no",
    }
    said = set(clauses.values())
    return Result(
        ref=subject.ref,
        pseudonym=_siv.encrypt(person.id.bytes, [b"kesehatan"]).hex(),
        decision="not_eligible" if "no" in said else "unknown" if "unknown" in said else "eligible",
        clauses=clauses,
        values={
            "region": (person.region_code or "")[:5],
            "birth_date": person.birth_date.year if person.birth_date else None,
            "sex": person.sex,
            "decile_period": str(current[0].period_from) if current else None,
        },
    )


def _clause(status: str, wanted: str) -> str:
    return "yes" if status == wanted else "no"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
