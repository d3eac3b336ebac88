"""What a consumer received in a span of time, whom it concerns, and the clock that the law starts."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from gateway.audit.erasure import erase
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.registry.connector import RegistryConnector
from gateway.registry.tables import people
from gateway.rights.exposure import people_told
from gateway.rights.incidents import Incident, Incidents
from gateway.rights.notices import Account, notice_to_authority, notice_to_people
from gateway.staff.roles import Staff
from tests.gateway.rights.logged import ANI, BUDI, HASHER, NOW, Log
from tests.policies.builders import DICTIONARY

AUDITOR = Staff("ani", "Ani", frozenset({"auditor"}), "password")
HOUR = timedelta(hours=1)


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def _incidents(log: Log) -> Incidents:
    registry = RegistryConnector(log.database)
    return Incidents(log.database, registry.person_ids, HASHER, lambda: log.now)


def _opened(log: Log) -> Incident:
    """Of the hour before NOW, known at NOW, opened an hour later."""
    log.now = NOW + HOUR
    return _incidents(log).open(
        AUDITOR,
        consumer_id="ministry",
        first=NOW - HOUR,
        last=NOW,
        known_at=NOW,
        reason="Laporan 7/2026",
    )


def _told(log: Log, incident: Incident) -> set[str]:
    with log.database.reading() as connection:
        return {digest.hex() for digest in people_told(connection, incident.affected)}


def _acts(log: Log) -> list[str]:
    with log.database.reading() as connection:
        chosen = select(audit_entries.c.entry).where(audit_entries.c.kind == "act")
        return [json.loads(text)["act"] for text in connection.execute(chosen).scalars()]


def test_who_was_told_of_is_counted_once_and_each_field_by_its_people(log: Log) -> None:
    within = NOW - HOUR / 2
    log.write((ANI, "released"), (BUDI, "not_found"), at=within)
    log.write((ANI, "released"), (BUDI, "released"), at=within, fields={"sex": "keep"})
    log.write((ANI, "eligible"), at=within, fields={}, programme="PKH")
    log.write(ANI, at=within, outcome="refused", reason="source_unavailable")
    incident = _opened(log)
    exposure = _incidents(log).exposure(incident)
    assert _told(log, incident) == {ANI, BUDI}
    assert exposure.people_count == 2
    assert exposure.fields == {"decile": 1, "sex": 2}
    assert exposure.forms == {"decile": {"keep": 1}, "sex": {"keep": 2}}
    assert exposure.decisions == {"PKH": 1}
    assert (exposure.exchanges, exposure.erased) == (4, 0)


def test_the_count_is_that_of_somebody_who_reads_every_entry(log: Log) -> None:
    chance = random.Random(7)  # noqa: S311 - the same log in every run
    hashes = [HASHER.person(UUID(int=number)) for number in range(12)]
    people: set[str] = set()
    fields: defaultdict[str, set[str]] = defaultdict(set)
    forms: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    decisions: defaultdict[str, set[str]] = defaultdict(set)
    for _ in range(60):
        names = chance.sample(["decile", "sex", "region", "full_name"], chance.randrange(4))
        programme = chance.choice([None, "PKH", "BPNT"])
        outcomes = ["eligible", "released", "not_found", "duplicate_identity", "unknown"]
        asked = [(chance.choice(hashes), chance.choice(outcomes)) for _ in range(chance.randrange(5))]
        answered = chance.random() < 0.9
        told_as = {name: chance.choice(["keep", "mask (first: 1)"]) for name in names}
        log.write(
            *asked,
            at=NOW - HOUR / 2,
            outcome="answered" if answered else "refused",
            fields=told_as,
            programme=programme,
        )
        told = {one for one, outcome in asked if outcome not in {"not_found", "duplicate_identity"}}
        if not answered:
            continue
        people |= told
        for name, form in told_as.items():
            fields[name] |= told
            forms[name][form] |= told
        if programme:
            decisions[programme] |= told
    incident = _opened(log)
    exposure = _incidents(log).exposure(incident)
    assert _told(log, incident) == people
    assert (exposure.exchanges, exposure.people_count) == (60, len(people))
    assert exposure.fields == {name: len(told) for name, told in fields.items()}
    assert exposure.forms == {
        name: {form: len(told) for form, told in each.items()} for name, each in forms.items()
    }
    assert exposure.decisions == {name: len(told) for name, told in decisions.items()}


def test_what_came_before_or_at_the_end_or_went_to_others_is_not_part_of_it(log: Log) -> None:
    log.write((ANI, "released"), at=NOW - HOUR - timedelta(microseconds=1))
    log.write((ANI, "released"), at=NOW)
    log.write((ANI, "released"), at=NOW - HOUR / 2, consumer="another")
    assert _incidents(log).exposure(_opened(log)).exchanges == 0
    log.write((BUDI, "released"), at=NOW - HOUR)
    incident = _opened(log)
    assert _told(log, incident) == {BUDI}
    assert _incidents(log).exposure(incident).people_count == 1


def test_what_was_erased_is_told_as_not_counted(log: Log) -> None:
    for scope in ("subjects", "payload"):
        exchange = log.write((ANI, "released"), at=NOW - HOUR / 2)
        log.place()
        order = {"order": "PN 1/2026", "actor": "x", "at": NOW}
        erase(log.database, exchange, scope=scope, **order, integrate=log.place)  # type: ignore[arg-type]
    exposure = _incidents(log).exposure(_opened(log))
    assert (exposure.exchanges, exposure.people_count, exposure.erased) == (2, 0, 2)


def test_the_clock_runs_three_times_24_hours_from_when_it_became_known(log: Log) -> None:
    incident = _opened(log)
    assert incident.tell_by == NOW + timedelta(days=3)
    assert _incidents(log).list() == [incident]
    assert _incidents(log).get(incident.id) == incident


def test_whoever_was_told_first_stops_their_clock_and_only_theirs(log: Log) -> None:
    incident = _opened(log)
    after = _incidents(log).told(AUDITOR, incident, "people", "Surat 8/2026")
    assert (after.people_told_at, after.authority_told_at) == (log.now, None)
    with pytest.raises(Conflict):
        _incidents(log).told(AUDITOR, incident, "people", "Surat 9/2026")
    assert _acts(log) == ["incident.opened", "incident.people_told"]


def test_whom_it_concerns_is_a_second_step_that_is_on_record(log: Log) -> None:
    log.write((ANI, "released"), (BUDI, "released"), at=NOW - HOUR / 2)
    with log.database.unit_of_work() as connection:
        for number in (1, 3):
            connection.execute(insert(people).values(_person(number)))
    exposed, found = _incidents(log).resolve(AUDITOR, _opened(log), "Surat 8/2026")
    assert (exposed, list(found)) == (2, [UUID(int=1)])
    assert _acts(log) == ["incident.opened", "incident.people_resolved"]


def _person(number: int) -> dict[str, object]:
    """The least that makes a row."""
    row: dict[str, object] = {
        column.name: "unknown"
        for column in people.c
        if not column.nullable and column.type.python_type is str
    }
    row |= {column.name: NOW.date() for column in people.c if column.name.endswith("as_of")}
    return row | {"id": UUID(int=number), "source_key": str(number), "synthetic": True}


@pytest.mark.parametrize(
    ("first", "last", "known"),
    [(0, 0, 0), (1, 0, 1), (0, 3, 1), (0, 1, 3), (1, 2, 0)],
)
def test_spans_that_cannot_be_are_refused(log: Log, first: int, last: int, known: int) -> None:
    log.now = NOW + 2 * HOUR
    moments = {"first": NOW + first * HOUR, "last": NOW + last * HOUR, "known_at": NOW + known * HOUR}
    with pytest.raises(BadInput):
        _incidents(log).open(AUDITOR, consumer_id="ministry", reason="x", **moments)
    assert _acts(log) == []


def test_an_incident_without_a_usable_reason_does_not_begin(log: Log) -> None:
    for reason in ("", " ", "3578085203849991", "a\nb"):
        with pytest.raises(BadInput):
            _incidents(log).open(
                AUDITOR, consumer_id="ministry", first=NOW - HOUR, last=NOW, known_at=NOW, reason=reason
            )
    assert _incidents(log).list() == []


def test_an_incident_that_is_not_there_is_not_found(log: Log) -> None:
    with pytest.raises(NotFound):
        _incidents(log).get(UUID(int=7))


def test_the_notices_say_what_the_log_knows_and_show_the_gaps(log: Log) -> None:
    log.write((ANI, "eligible"), at=NOW - HOUR / 2, programme="PKH")
    incident = _opened(log)
    exposure = _incidents(log).exposure(incident)
    letter = notice_to_people(incident, exposure, "Kementerian X", DICTIONARY, Account())
    assert "desil kesejahteraan" in letter
    assert "keputusan kelayakan PKH" in letter
    assert "antara 21 November 2026 pukul 09.00 WIB dan 21 November 2026 pukul 10.00 WIB" in letter
    assert letter.count("[HARUS DIISI:") == 3
    report = notice_to_authority(
        incident, exposure, "Kementerian X", DICTIONARY, Account("dicuri", "kunci dicabut", "unit PDP")
    )
    assert "Jumlah orang yang terdampak: 1" in report
    assert "Batas pemberitahuan      : 24 November 2026 pukul 10.00 WIB" in report
    assert "[HARUS" not in report
    assert "bila pelayanan publik atau kepentingan masyarakat terdampak" in report
    assert "(1 orang)" in report
    assert "(1 orang)" not in letter


def test_the_notices_say_in_which_form_a_field_left(log: Log) -> None:
    told = {
        "mother_name": "verdict",
        "full_name": "mask (show_first: 1)",
        "birth_date": "generalise (to: year)",
        "nik": "pseudonym",
        "decile": "bucket (ranges: 1-4, 5+)",
        "sex": "keep",
    }
    log.write((ANI, "released"), at=NOW - HOUR / 2, fields=told)
    log.write((BUDI, "released"), at=NOW - HOUR / 2, fields={"full_name": "mask (show_first: 2)"})
    incident = _opened(log)
    facts = (incident, _incidents(log).exposure(incident), "Kementerian X", DICTIONARY, Account())
    label = {name: field.label.id for name, field in DICTIONARY.items()}
    forms = [
        f"hasil pencocokan {label['mother_name']}",
        f"{label['full_name']} yang disamarkan",
        f"{label['birth_date']} secara umum",
        f"pseudonim dari {label['nik']}",
        f"{label['decile']} sebagai rentang",
        label["sex"],
    ]
    letter, report = notice_to_people(*facts), notice_to_authority(*facts)
    for form in forms:
        assert letter.count(f"   - {form}\n") == 1, letter
        assert f"   - {form} (1 orang)\n" in report
