"""Every registered source keeps every promise; and each check fails a source that breaks its promise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector, NotFound, Outcome, Record, Subject, Unavailable
from connectors.kind import Connect, OwnKeys, Secrets, SourceKind, Surroundings
from connectors.registered import KINDS
from connectors.transport.settings import SourceSettings
from policies.dictionary import Field, load_dictionary
from tests.connectors import contract
from tests.connectors.contract import CHECKS, NOBODY, PEOPLE, SITI, Check, on_the_bench, person_id
from tests.connectors.sixth_source import FIELDS, SAMSAT

SHIPPED = Path(__file__).parents[2] / "policies" / "fields.yaml"


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Field]:
    """As shipped, with the field of the sixth source."""
    path = tmp_path_factory.mktemp("policies") / "fields.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8") + FIELDS, encoding="utf-8")
    return load_dictionary(path)


def test_the_registry_is_sorted_and_names_nobody_twice() -> None:
    names = [kind.name for kind in KINDS]
    assert names == sorted(set(names))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [*KINDS, SAMSAT], ids=lambda kind: kind.name)
async def test_every_source_keeps_the_contract(
    kind: SourceKind[Any], check: Check, dictionary: Mapping[str, Field]
) -> None:
    with on_the_bench(kind, dictionary) as bench:
        await check(bench)


# --- Sources that break one promise each


class Bent:
    """The sixth source, bent by a subclass."""

    def __init__(self, true: Connector, surroundings: Surroundings, source: SourceSettings) -> None:
        self.true = true
        self.surroundings = surroundings
        self.source = source
        self.name = true.name
        self.provides = true.provides
        self.needs = true.needs
        self.outside = true.outside
        self.many_at_once = true.many_at_once
        self.fresh_for = true.fresh_for

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        return await self.true.fetch(subjects, fields, on_date, deadline)

    async def ping(self) -> None:
        await self.true.ping()


class ForAnotherField(Bent):
    def __init__(self, *lent: Any) -> None:
        super().__init__(*lent)
        self.provides |= {"shoe_size"}


class NeedsTooMuch(Bent):
    def __init__(self, *lent: Any) -> None:
        super().__init__(*lent)
        self.needs |= {"shoe_size"}


class Backwards(Bent):
    async def fetch(self, *asked: Any) -> Sequence[Outcome]:
        return (await super().fetch(*asked))[::-1]


class Talkative(Bent):
    async def fetch(self, *asked: Any) -> Sequence[Outcome]:
        said = await super().fetch(*asked)
        return [
            one._replace(values={**one.values, "full_name": "X"}) if isinstance(one, Record) else one
            for one in said
        ]


class Inventive(Bent):
    async def fetch(self, subjects: Sequence[Subject], *asked: Any) -> Sequence[Outcome]:
        said = await super().fetch(subjects, *asked)
        return [
            Record(who.person_id, {"vehicle_owner": "no"}, date(2026, 1, 1))
            if one == NotFound() and who.person_id
            else one
            for who, one in zip(subjects, said, strict=True)
        ]


class AskingAboutAnybody(Bent):
    async def fetch(self, subjects: Sequence[Subject], *asked: Any) -> Sequence[Outcome]:
        return await super().fetch([one._replace(nik=one.nik or SITI.nik) for one in subjects], *asked)


class WorseInACrowd(Bent):
    async def fetch(self, subjects: Sequence[Subject], *asked: Any) -> Sequence[Outcome]:
        said = await super().fetch(subjects, *asked)
        return said if len(said) == 1 else [NotFound()] * len(said)


class Raising(Bent):
    async def fetch(self, *asked: Any) -> Sequence[Outcome]:
        said = await super().fetch(*asked)
        if any(isinstance(one, Unavailable) for one in said):
            raise ConnectionError
        return said


class Unhurried(Bent):
    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        deadline = max(deadline, asyncio.get_running_loop().time()) + 2 * contract.LATENESS_S
        return await super().fetch(subjects, fields, on_date, deadline)


class Contented(Bent):
    async def ping(self) -> None:
        return


class Exposing(Bent):
    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        transport = self.surroundings.transport(self.source)
        for one in subjects:
            await transport.send(
                "GET", f"/owners/{one.nik}", deadline=deadline, expect=None, also_answers=frozenset({404})
            )
        return await super().fetch(subjects, fields, on_date, deadline)


class Logging(Bent):
    async def fetch(self, subjects: Sequence[Subject], *asked: Any) -> Sequence[Outcome]:
        for one in subjects:
            logging.getLogger("samsat").debug("asked about %s", one.nik)
        return await super().fetch(subjects, *asked)


class _NotItsOwnKeys(OwnKeys):
    office: str
    base_url: str = ""


def bent(how: type[Bent]) -> SourceKind[Any]:
    def configure(keys: Any, source: SourceSettings, secrets: Secrets) -> Connect:
        connect = SAMSAT.configure(keys, source, secrets)
        return lambda surroundings: how(connect(surroundings), surroundings, source)

    return replace(SAMSAT, configure=configure)


BROKEN: Mapping[Callable[..., Any], SourceKind[Any]] = {
    contract.its_name_and_keys_are_its_own: replace(SAMSAT, section=_NotItsOwnKeys),
    contract.its_fields_are_those_that_the_dictionary_says_it_has: bent(ForAnotherField),
    contract.what_it_needs_is_what_the_registry_knows: bent(NeedsTooMuch),
    contract.only_words_of_the_dictionary_may_be_remembered_of_it: replace(
        SAMSAT, words={"vehicle_owner": frozenset({"perhaps"})}
    ),
    contract.everybody_is_answered_in_the_order_of_the_question: bent(Backwards),
    contract.it_says_what_was_asked_with_its_day_and_nothing_more: bent(Talkative),
    contract.somebody_unknown_is_nobody: bent(Inventive),
    contract.who_has_no_nik_is_nobody_and_not_asked_about: bent(AskingAboutAnybody),
    contract.one_is_answered_as_many_are: bent(WorseInACrowd),
    contract.a_source_that_is_down_is_unavailable_with_its_time_and_a_cause: bent(Raising),
    contract.a_deadline_that_has_passed_sends_nothing: bent(Unhurried),
    contract.a_source_that_never_answers_costs_the_deadline_and_no_more: bent(Unhurried),
    contract.a_ping_finds_the_source_and_tells_each_wrong_secret_as_configuration: bent(Contented),
    contract.no_address_holds_a_nik_unless_its_protocol_wants_one: bent(Exposing),
    contract.nobody_and_no_secret_is_logged_by_anything_it_uses: bent(Logging),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_source_that_breaks_the_promise_fails_the_check(
    check: Check, dictionary: Mapping[str, Field]
) -> None:
    with (
        on_the_bench(BROKEN[check], dictionary) as bench,
        pytest.raises((AssertionError, ConnectionError)),
    ):
        await check(bench)


async def test_a_bent_source_is_otherwise_as_good_as_the_true_one(dictionary: Mapping[str, Field]) -> None:
    for check in CHECKS:
        with on_the_bench(bent(Bent), dictionary) as bench:
            await check(bench)


async def test_an_exemption_that_is_not_needed_any_more_is_told(dictionary: Mapping[str, Field]) -> None:
    exempt = replace(SAMSAT, nik_in_address="Once it was needed.")
    with on_the_bench(exempt, dictionary) as bench, pytest.raises(AssertionError):
        await contract.no_address_holds_a_nik_unless_its_protocol_wants_one(bench)


def test_the_people_of_the_bench_are_told_apart() -> None:
    assert len({person_id(one) for one in (*PEOPLE, NOBODY)}) == 3
