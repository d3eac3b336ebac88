"""From pseudonyms back to people: a basis in law, two people, one day, once, and on record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.api import problems
from gateway.api.admin import reversals as api
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.reversals import reversal_router
from gateway.api.admin.session import session_router
from gateway.api.problem_words import REMEDIES_BY_CODE
from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.pseudonyms.reversals import LEGAL_BASES, PERFORMED_WITHIN, Reversal
from gateway.pseudonyms.tables import reversals as table
from gateway.staff.roles import INSTALLATION, Staff
from tests.gateway.pseudonyms.world import AUDIT_KEY, RECEIVER, SENDER, World, person
from tests.gateway.staff.office import InProcess, Office

pytestmark = pytest.mark.anyio

ONI = Staff("oni", "Oni", frozenset({"operator"}), "password")
OKA = Staff("oka", "Oka", frozenset({"approver"}), "password")


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "keys", [person(), person(nik="3578085203849992")])


async def _names(world: World) -> list[str]:
    return [await world.name(SENDER, one) for one in world.people]


async def _asked(world: World, **changes: Any) -> Reversal:
    usual = {"legal_basis": "court_order", "reference": "12/Pid.B/2026", "reason": "a case of fraud"}
    return world.reversals.request(ONI, "kesehatan", await _names(world), **(usual | changes))


async def _approved(world: World) -> Reversal:
    return world.reversals.approve(OKA, (await _asked(world)).id, "the order was read")


async def test_two_people_lead_pseudonyms_back_to_people_and_the_log_tells_of_whom(world: World) -> None:
    approved = await _approved(world)
    people = await world.reversals.perform(ONI, approved.id, await _names(world))
    assert [(one.person_id, one.nik) for one in people] == [
        (one.person_id, one.values["nik"]) for one in world.people
    ]
    requested, settled, performed = world.entries()
    assert [one["act"] for one in (requested, settled, performed)] == [
        "reversal.requested",
        "reversal.approved",
        "reversal.performed",
    ]
    assert [one["actor"] for one in (requested, settled, performed)] == ["oni", "oka", "oni"]
    assert performed["legal_basis"] == "court_order"
    assert performed["reference"] == "12/Pid.B/2026"
    hasher = SubjectHasher(AUDIT_KEY)
    assert performed["subjects"] == [hasher.person(one.person_id) for one in world.people]
    assert requested["subjects"] == settled["subjects"] == []


async def test_neither_the_table_nor_the_log_holds_a_pseudonym_or_a_person(world: World) -> None:
    approved = await _approved(world)
    await world.reversals.perform(ONI, approved.id, await _names(world))
    with world.database.reading() as connection:
        kept = str(connection.execute(table.select()).all())
    kept += str(world.entries())
    for one, name in zip(world.people, await _names(world), strict=True):
        for secret in (name, name.split(".")[2], str(one.person_id), str(one.values["nik"])):
            assert secret not in kept


async def test_whoever_asked_does_not_approve(world: World) -> None:
    both = Staff("oni", "Oni", frozenset({"operator", "approver"}), "password")
    asked = await _asked(world)
    with pytest.raises(NotPermitted) as refused:
        world.reversals.approve(both, asked.id, "mine")
    assert refused.value.code == "second_person_needed"
    assert world.reversals.get(asked.id).state == "requested"


async def test_whoever_approved_or_had_no_part_in_it_does_not_perform(world: World) -> None:
    approved, names = await _approved(world), await _names(world)
    for other in (OKA, Staff("ani", "Ani", frozenset({"operator"}), "password")):
        with pytest.raises(NotPermitted):
            await world.reversals.perform(other, approved.id, names)


@pytest.mark.parametrize("via", ["token:0a1b2c3d"])
async def test_neither_a_token_nor_the_installation_is_one_of_two_people(world: World, via: str) -> None:
    approved, names = await _approved(world), await _names(world)
    for nobody in (INSTALLATION, Staff("oni", "Oni", frozenset({"operator"}), via)):
        with pytest.raises(NotPermitted):
            await world.reversals.perform(nobody, approved.id, names)
        with pytest.raises(NotPermitted):
            world.reversals.request(
                nobody, "kesehatan", names, legal_basis="court_order", reference="1", reason="x"
            )
        with pytest.raises(NotPermitted):
            world.reversals.refuse(nobody, approved.id, "x")


async def test_it_is_performed_once_within_a_day_of_the_approval(world: World) -> None:
    approved, names = await _approved(world), await _names(world)
    world.now += PERFORMED_WITHIN
    assert world.reversals.get(approved.id).state == "lapsed"
    with pytest.raises(Conflict, match="lapsed"):
        await world.reversals.perform(ONI, approved.id, names)
    world.now -= timedelta(seconds=1)
    await world.reversals.perform(ONI, approved.id, names)
    with pytest.raises(Conflict, match="performed"):
        await world.reversals.perform(ONI, approved.id, names)


async def test_of_two_who_perform_at_once_one_does(world: World) -> None:
    approved, names = await _approved(world), await _names(world)
    outcomes: list[object] = []

    async def perform() -> None:
        try:
            outcomes.append(await world.reversals.perform(ONI, approved.id, names))
        except Conflict:
            outcomes.append(None)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(perform)
    assert sum(outcome is not None for outcome in outcomes) == 1


async def test_nothing_is_performed_that_was_not_approved(world: World) -> None:
    asked, names = await _asked(world), await _names(world)
    with pytest.raises(Conflict, match="requested"):
        await world.reversals.perform(ONI, asked.id, names)
    world.reversals.refuse(OKA, asked.id, "no order")
    with pytest.raises(Conflict, match="refused"):
        await world.reversals.perform(ONI, asked.id, names)
    with pytest.raises(Conflict):
        world.reversals.approve(OKA, asked.id, "after all")


async def test_an_approval_is_taken_back_until_it_is_used(world: World) -> None:
    approved = await _approved(world)
    assert world.reversals.refuse(OKA, approved.id, "a mistake").state == "refused"
    with pytest.raises(Conflict):
        await world.reversals.perform(ONI, approved.id, await _names(world))


async def test_only_the_pseudonyms_that_were_approved_are_undone(world: World) -> None:
    approved, names = await _approved(world), await _names(world)
    for others in (names[:1], [*names, names[0]], names[::-1], [names[0], "another"]):
        with pytest.raises(Conflict, match="not the pseudonyms") as refused:
            await world.reversals.perform(ONI, approved.id, others)
        assert "same order" in REMEDIES_BY_CODE[refused.value.code].en, (
            "a mistake of typing, mended by typing"
        )


async def test_a_forged_name_and_one_of_nobody_are_asked_for_alike_and_lead_to_nobody(world: World) -> None:
    forged = "v1.kesehatan." + "A" * 43
    unknown = (await world.keyring.of("kesehatan")).name(person().person_id)
    names = [forged, forged, unknown]
    asked = world.reversals.request(
        ONI, "kesehatan", names, legal_basis="court_order", reference="1", reason="x"
    )
    world.reversals.approve(OKA, asked.id, "x")
    people = await world.reversals.perform(ONI, asked.id, names)
    assert [one.person_id is None for one in people] == [True, True, False]
    assert [one.nik for one in people] == [None, None, None]


async def test_only_what_can_be_pseudonyms_of_the_sector_is_asked_for_and_is_not_repeated(
    world: World,
) -> None:
    foreign, (own, other) = await world.name(RECEIVER, world.people[0]), await _names(world)
    basis = {"legal_basis": "court_order", "reference": "1", "reason": "x"}
    for wrong in ("abc", "", foreign, own[:-1], f"{own} ", own.upper()):
        with pytest.raises(BadInput, match=r"^pseudonyms, number 2: expected") as refused:
            world.reversals.request(ONI, "kesehatan", [own, wrong, other], **basis)
        said = refused.value.said
        assert said is not None
        assert own not in said.id + said.en
        assert foreign not in said.id + said.en
    for sector in ("pendidikan", "", "Kesehatan"):
        with pytest.raises(BadInput, match=r"^sector: expected one of .*\(kesehatan, pkh\)"):
            world.reversals.request(ONI, sector, [own], **basis)
    assert world.reversals.list() == []
    assert world.entries() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"legal_basis": "curiosity"},
        {"legal_basis": ""},
        {"reference": ""},
        {"reference": "NIK 3578085203849991"},
        {"reason": " "},
        {"reason": "about 3578085203849991"},
    ],
)
async def test_a_reversal_names_its_basis_its_order_and_its_reason_and_no_person(
    world: World, changes: dict[str, str]
) -> None:
    with pytest.raises(BadInput):
        await _asked(world, **changes)
    assert world.reversals.list() == []
    assert world.entries() == []


async def test_what_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.reversals.get("0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52")


# over the wire


@pytest.fixture
def office(world: World, tmp_path: Path) -> Office:
    return Office(world.database, tmp_path / "office")


def _signed_in(office: Office, world: World, staff_id: str) -> httpx.Client:
    app = FastAPI()
    problems.install(app, MEMBER_NAMES)
    app.include_router(session_router(office.desk))
    app.include_router(reversal_router(world.reversals, office.desk.check))
    browser = httpx.Client(transport=InProcess(app), base_url=office.origin)
    answer = browser.post("/admin/v1/session", json={"id": staff_id, "password": "empat kuda di tepi sawah"})
    browser.headers["X-CSRF-Token"] = answer.json().get("csrf_token", "")
    return browser


def _form(names: list[str]) -> dict[str, Any]:
    return {
        "sector": "kesehatan",
        "pseudonyms": names,
        "legal_basis": "court_order",
        "reference": "12/Pid.B/2026",
        "reason": "a case of fraud",
    }


def test_over_the_wire_it_takes_two_who_are_signed_in(office: Office, world: World) -> None:
    office.hire("oni", "operator")
    office.hire("oka", "approver")
    names = anyio.run(_names, world)
    oni, oka = _signed_in(office, world, "oni"), _signed_in(office, world, "oka")
    asked = oni.post("/admin/v1/reversals", json=_form(names))
    assert asked.status_code == 201, asked.text
    one = f"/admin/v1/reversals/{asked.json()['id']}"
    assert oni.post(f"{one}/approve", json={"reason": "mine"}).json()["code"] == "role_missing"
    assert oka.post(f"{one}/perform", json={"pseudonyms": names}).json()["code"] == "role_missing"
    assert oka.post(f"{one}/approve", json={"reason": "read"}).json()["state"] == "approved"
    performed = oni.post(f"{one}/perform", json={"pseudonyms": names})
    assert [row["nik"] for row in performed.json()["people"]] == [row.values["nik"] for row in world.people]
    assert not [name for name in names if name in performed.text]
    assert oni.get(one).json()["state"] == "performed"
    assert len(oka.get("/admin/v1/reversals").json()["reversals"]) == 1
    assert oni.post(f"{one}/perform", json={"pseudonyms": names}).status_code == 409


def test_no_route_of_reversals_answers_strangers(office: Office, world: World) -> None:
    browser = _signed_in(office, world, "nobody")
    for route in reversal_router(world.reversals, office.desk.check).routes:
        assert isinstance(route, APIRoute)
        path = route.path.format(reversal_id="0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52")
        form = {**_form(["x"])} if path.endswith("reversals") else {"reason": "x"}
        if path.endswith("perform"):
            form = {"pseudonyms": ["x"]}
        for method in route.methods:
            assert browser.request(method, path, json=form).status_code == 401, path


def test_the_wire_knows_the_bases_that_the_desk_knows() -> None:
    assert set(get_args(api.LegalBasis)) == set(LEGAL_BASES)
