"""Likely persons decided on: by somebody who looked, or by a rule that two people made.

A proposal changes nothing. Accepting one gives the person of the registry the NIK that was proposed, and
nothing else: what follows from it the next comparison says. Refusing one is remembered, so that nobody has to
refuse it twice. However it is decided, the sealed NIK is not kept any longer. MUST NOT show or log a NIK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, text, update

from gateway.advisory_locks import AdvisoryLock
from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.errors import Conflict, NotFound, NotPermitted
from gateway.reconciliation.kinds import LIKELY_PERSON
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.statuses import SOURCE
from gateway.reconciliation.tables import findings, likely_persons, nik_changes
from gateway.registry.tables import people
from gateway.rights import acts
from gateway.staff.roles import INSTALLATION, Staff

CandidateState = Literal["proposed", "accepted", "refused", "superseded"]
# From here on it is likelier than not that a candidate is the person: who is to be looked at first.
WORTH_A_LOOK = 0.5
_likely = likely_persons
# Two who accept at once take turns, or both could give away one NIK. Any constant does.
_TAKE_TURNS = text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.ACCEPTANCE_RULES:d})")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that a person may be, as it stands; which record, only the gateway knows.

    `reasons` are the waterfall: where every pair starts, then each trait in words with its bits, which sum to
    `weight`. `agreeing` is how many traits speak for it, `model` the digest of what weighed them.
    """

    id: UUID
    run_id: UUID
    person_id: UUID
    region: str
    rank: int
    weight: float
    probability: float
    proposal: Literal["accept", "review"]
    agreeing: int
    model: str
    reasons: Sequence[Mapping[str, Any]]
    state: CandidateState
    decided_at: datetime | None
    decided_by: str | None
    decided_why: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person about whom somebody has to decide: how many candidates, and how probable the likeliest is."""

    person_id: UUID
    region: str
    candidates: int
    probability: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, why and when; `rule_id` where nobody looked."""

    by: Staff
    reason: str
    at: datetime
    rule_id: UUID | None = None


class LikelyPersons:
    """The likely persons of one database. Blocks. Raises StoreUnavailable everywhere."""

    def __init__(
        self, database: Database, seal: NikSeal, hasher: SubjectHasher, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._acceptance = Acceptance(seal, hasher)
        self._clock = clock

    def queue(
        self, most: int, region: str | None = None, after: UUID | None = None, least: float = 0.0
    ) -> list[Waiting]:
        """Up to `most` people to decide about, the most probable first, from behind the person `after` on.

        `least` leaves out whose likeliest candidate is less probable. Raises NotFound for an `after` whom
        nobody was ever proposed for.
        """
        chosen = [_is_likeliest(), _likely.c.probability >= least]
        if region is not None:
            chosen.append(_likely.c.region == region)
        others = _likely.alias()
        candidates = (
            select(func.count())
            .where(others.c.person_id == _likely.c.person_id, others.c.state == "proposed")
            .scalar_subquery()
        )
        people_first = select(_likely.c.person_id, _likely.c.region, candidates, _likely.c.probability)
        order = _likely.c.probability.desc(), _likely.c.person_id.desc()
        with self._database.reading() as connection:
            if after is not None:
                chosen.append(_behind(connection, after))
            found = connection.execute(people_first.where(*chosen).order_by(*order).limit(most))
            return [Waiting(*row) for row in found]

    def of_person(self, person_id: UUID) -> list[Candidate]:
        """The candidates of the run that last proposed any, the likeliest first. Raises NotFound."""
        chosen = select(_likely).where(_likely.c.person_id == person_id, _likely.c.state != "superseded")
        with self._database.reading() as connection:
            found = connection.execute(chosen.order_by(_likely.c.rank, _likely.c.id)).all()
        if not found:
            raise NotFound("Nobody was proposed for this person, or a later run has found the person.")
        return [_candidate(row) for row in found]

    def accept(self, staff: Staff, candidate_id: UUID, reason: str) -> Candidate:
        """Give the person the NIK of this candidate.

        Raises NotFound; NotPermitted unless a named person decides; BadInput for the reason; Conflict where
        it is decided already, somebody else holds the NIK, or the person's own has changed since.
        """
        refuse_unnamed(staff)
        return self._decide(candidate_id, self._acceptance.accept, Decision(staff, reason, self._clock()))

    def refuse(self, staff: Staff, candidate_id: UUID, reason: str) -> Candidate:
        """Say that this is somebody else, now and in every later run. Raises as `accept`."""
        refuse_unnamed(staff)
        return self._decide(candidate_id, self._acceptance.refuse, Decision(staff, reason, self._clock()))

    def _decide(
        self,
        candidate_id: UUID,
        decide: Callable[[Connection, Row[Any], Decision], None],
        decision: Decision,
    ) -> Candidate:
        chosen = select(_likely).where(_likely.c.id == candidate_id)
        with self._database.unit_of_work() as connection:
            row = connection.execute(chosen.with_for_update()).first()
            if row is None:
                raise NotFound("There is no likely person of this id.")
            if row.state != "proposed":
                raise Conflict(f"This likely person is {row.state} already.")
            decide(connection, row, decision)
            return _candidate(connection.execute(chosen).one())


class Acceptance:
    """What a decision does, within the transaction of whoever decides. A row is one of `likely_persons`."""

    def __init__(self, seal: NikSeal, hasher: SubjectHasher) -> None:
        self._seal = seal
        self._hasher = hasher

    def accept(self, connection: Connection, row: Row[Any], decision: Decision) -> None:
        """Give the person the NIK. Raises Conflict before anything is written, where that cannot be."""
        if connection.dialect.name == "postgresql":
            connection.execute(_TAKE_TURNS)
        of_person = select(people.c.nik).where(people.c.id == row.person_id)
        person = connection.execute(of_person.with_for_update()).first()
        if person is None:
            raise Conflict("The registry does not know this person any more.")
        nik = self._seal.open(row.person_id, person.nik, row.sealed_nik)
        _refuse_unusable(connection, row.person_id, person.nik, nik)
        connection.execute(update(people).where(people.c.id == row.person_id).values(nik=nik))
        before = None if person.nik is None else self._seal.seal(row.person_id, None, person.nik)
        connection.execute(nik_changes.insert().values(_change(row, decision, before)))
        self._settle(connection, row, "accepted", decision)
        others = (_likely.c.person_id == row.person_id, _likely.c.state == "proposed")
        connection.execute(update(_likely).where(*others).values(state="superseded", sealed_nik=None))
        _close_finding(connection, row.person_id, decision.at)

    def refuse(self, connection: Connection, row: Row[Any], decision: Decision) -> None:
        """Note that it is somebody else; with the last candidate the finding ends."""
        self._settle(connection, row, "refused", decision)
        _close_finding(connection, row.person_id, decision.at)

    def _settle(
        self, connection: Connection, row: Row[Any], state: CandidateState, decision: Decision
    ) -> None:
        settled: Mapping[str, Any] = {
            "state": state,
            "sealed_nik": None,
            "decided_at": decision.at,
            "decided_by": decision.by.actor,
            "decided_why": decision.reason,
        }
        connection.execute(update(_likely).where(_likely.c.id == row.id).values(settled))
        acts.record(
            connection,
            decision.by,
            f"likely_person.{state}",
            f"likely-person/{row.id}",
            decision.reason,
            decision.at,
            subjects=[self._hasher.person(row.person_id)],
            run=str(row.run_id),
            model=row.model,
            **({"rule": str(decision.rule_id)} if decision.rule_id else {}),
        )


def _is_likeliest() -> ColumnElement[bool]:
    """Whether a candidate waits and no other of the person does who is more probable: one for each."""
    other = _likely.alias()
    better = or_(
        other.c.probability > _likely.c.probability,
        and_(other.c.probability == _likely.c.probability, other.c.id < _likely.c.id),
    )
    of_person = other.c.person_id == _likely.c.person_id, other.c.state == "proposed"
    return and_(_likely.c.state == "proposed", ~exists().where(*of_person, better))


def _behind(connection: Connection, person_id: UUID) -> ColumnElement[bool]:
    """Who stands behind a person in the queue, also behind one who was decided about meanwhile."""
    of_person = select(func.max(_likely.c.probability)).where(_likely.c.person_id == person_id)
    waiting = connection.execute(of_person.where(_likely.c.state == "proposed")).scalar()
    at = waiting if waiting is not None else connection.execute(of_person).scalar()
    if at is None:
        raise NotFound("after: nobody was proposed for this person; take the `next` of the page before.")
    probability = _likely.c.probability
    return and_(probability <= at, or_(probability < at, _likely.c.person_id < person_id))


def refuse_unnamed(actor: Staff) -> None:
    """Raises NotPermitted for a token or the installation: it takes somebody who is named to decide."""
    if actor.id == INSTALLATION.id or actor.by_token:
        raise NotPermitted(
            "Who somebody is, a named person decides: sign in, or say who acts with --as.",
            code="person_needed",
        )


def _refuse_unusable(connection: Connection, person_id: UUID, held: str | None, nik: str) -> None:
    if nik == held:
        raise Conflict(
            "The person has this NIK already, and other elements differ: correct those at the source.",
            code="nik_held_already",
        )
    others = select(exists().where(people.c.nik == nik, people.c.id != person_id))
    if connection.execute(others).scalar_one():
        raise Conflict(
            "Somebody else of the registry holds this NIK: settle who that is first, correct the NIK there, "
            "and reconcile anew.",
            code="nik_taken",
        )


def _change(row: Row[Any], decision: Decision, sealed_before: bytes | None) -> Mapping[str, Any]:
    return {
        "id": uuid4(),
        "person_id": row.person_id,
        "source": SOURCE,
        "run_id": row.run_id,
        "likely_person_id": row.id,
        "rule_id": decision.rule_id,
        "changed_at": decision.at,
        "changed_by": decision.by.actor,
        "sealed_before": sealed_before,
    }


def _close_finding(connection: Connection, person_id: UUID, at: datetime) -> None:
    """End the finding that somebody may be this person, unless a candidate still waits."""
    waits = exists().where(_likely.c.person_id == person_id, _likely.c.state == "proposed")
    of_person = and_(findings.c.person_id == person_id, findings.c.kind == LIKELY_PERSON)
    connection.execute(
        update(findings)
        .where(of_person, findings.c.state != "closed", ~waits)
        .values(state="closed", state_at=at)
    )


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(**{name: getattr(row, name) for name in Candidate.__dataclass_fields__})
