"""What every source promises, as checks that run unasked on whatever is registered.

Each check gets a `Bench`: one kind of source and its real simulator on a real socket, which notes under which
addresses it is asked. A check asserts; `test_source_contract.py` runs all of them on every registered kind,
and shows of each that a source which breaks the promise fails it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.base import Connector, NotFound, Outcome, Record, Subject, Unavailable
from connectors.kind import OwnKeys, SimulatedEnrolment, SimulatedPerson, SourceKind, Surroundings
from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured
from connectors.transport.settings import SourceSettings
from gateway.registry.connector import RegistryConnector
from gateway.sources.reading import Reached
from policies.dictionary import Ceiling, Field
from tests.connectors.ledgers import DictLedger
from tests.connectors.simulated import served

TODAY = date(2026, 11, 21)
IN_TIME_S = 10.0
SHORT_S = 0.3
# A loaded test machine schedules late; a source that ignores its deadline is late by a whole attempt, of 5 s.
LATENESS_S = 1.0


def simulated_person(serial: int, full_name: str, sex: str) -> SimulatedPerson:
    """Somebody invented whom every simulator knows."""
    known = {
        "full_name": full_name,
        "birth_date": date(1979, 8, 14),
        "birth_place": "SURABAYA",
        "sex": sex,
        "mother_name": "SRI CONTOH KARTIKA",
        "address": "JL. CONTOH NO. 7",
        "rt": "001",
        "rw": "002",
        "family_card_number": "3578011202149002",
        "region": "35.78.01.1001",
        "life_status": "alive",
        "identity_status": "matched",
    }
    enrolled = SimulatedEnrolment("PBI-JK", date(2025, 1, 1))
    return SimulatedPerson(f"357801140879{serial}", known, (enrolled,))


SITI = simulated_person(9001, "SITI CONTOH WULANDARI", "P")
BUDI = simulated_person(9002, "BUDI CONTOH SANTOSA", "L")
NOBODY = simulated_person(9003, "ORANG CONTOH TAKDIKENAL", "L")
PEOPLE = (SITI, BUDI)


def clock() -> datetime:
    """The time of connectors and simulators alike."""
    return datetime.now(UTC)


@dataclass
class Bench:
    """One kind of source, the address of its simulator, and the addresses under which that was asked."""

    kind: SourceKind[Any]
    dictionary: Mapping[str, Field]
    url: str
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def connected(
        self, *, url: str | None = None, secrets: Mapping[str, str] | None = None
    ) -> AsyncIterator[Connector]:
        """The connector as the gateway would make it, by default on the way to its simulator."""
        transports: list[Transport] = []

        def transport(settings: SourceSettings) -> Transport:
            transports.append(Transport(settings, utc=clock))
            return transports[-1]

        simulation = self.kind.simulation
        source = SourceSettings(name=self.kind.name, base_url=(url or self.url) + simulation.path)
        keys = self.kind.section.model_validate(simulation.keys)
        connect = self.kind.configure(keys, source, {**simulation.secrets, **(secrets or {})})
        connector = connect(Surroundings(transport, clock, DictLedger(), print))
        try:
            yield connector
        finally:
            for one in transports:
                await one.aclose()


async def ask(
    connector: Connector,
    people: Sequence[SimulatedPerson],
    fields: frozenset[str] | None = None,
    within_s: float = IN_TIME_S,
) -> list[Outcome]:
    """What the connector says of these people, all its fields unless told otherwise."""
    subjects = [subject(connector, one) for one in people]
    deadline = asyncio.get_running_loop().time() + within_s
    return list(
        await connector.fetch(subjects, connector.provides if fields is None else fields, TODAY, deadline)
    )


def subject(connector: Connector, person: SimulatedPerson) -> Subject:
    """A person as the exchange names them to this connector: no more of the registry than it needs."""
    known = {"nik": person.nik, **person.known}
    return Subject(person.nik, person_id(person), {name: known.get(name) for name in connector.needs})


def person_id(person: SimulatedPerson) -> UUID:
    """The registry's own name for somebody, which says nothing."""
    return UUID(int=int(person.nik[-4:]))


def personal_values(people: Sequence[SimulatedPerson] = (*PEOPLE, NOBODY)) -> set[str]:
    """What must stand in no log, cause or address: NIKs, names, numbers, birth dates."""
    texts = {
        str(one.known[name])
        for one in people
        for name in ("full_name", "mother_name", "birth_date", "address", "family_card_number")
    }
    return texts | {one.nik for one in people}


def assert_impersonal(text: str) -> None:
    """Nothing of the people of the bench stands in the text."""
    assert not [value for value in personal_values() if value.lower() in text.lower()]


# --- What it is


async def its_name_and_keys_are_its_own(bench: Bench) -> None:
    kind = bench.kind
    assert kind.name.isidentifier()
    assert kind.name == kind.name.lower()
    assert issubclass(kind.section, OwnKeys)
    assert not kind.section.model_fields.keys() & Reached.model_fields.keys()
    strict = kind.section.model_config
    assert (strict.get("extra"), strict.get("strict"), strict.get("frozen")) == ("forbid", True, True)
    assert kind.simulation.secrets.keys() == set(kind.secrets)
    async with bench.connected() as connector:
        assert (connector.name, connector.outside) == (kind.name, True)


async def its_fields_are_those_that_the_dictionary_says_it_has(bench: Bench) -> None:
    of_it = {one.name for one in bench.dictionary.values() if one.source == bench.kind.name}
    released = {name for name in of_it if bench.dictionary[name].ceiling > Ceiling.NEVER}
    async with bench.connected() as connector:
        assert connector.provides == released


async def what_it_needs_is_what_the_registry_knows(bench: Bench) -> None:
    async with bench.connected() as connector:
        assert connector.needs <= RegistryConnector.provides


async def only_words_of_the_dictionary_may_be_remembered_of_it(bench: Bench) -> None:
    async with bench.connected() as connector:
        assert bench.kind.words.keys() <= connector.provides
    for name, words in bench.kind.words.items():
        entry = bench.dictionary[name]
        assert words <= set(entry.words or {"match", "no_match"}), name
        assert entry.type in {"word", "verdict"}, name


# --- What it says


async def everybody_is_answered_in_the_order_of_the_question(bench: Bench) -> None:
    async with bench.connected() as connector:
        first, unknown, second, again = await ask(connector, [SITI, NOBODY, BUDI, SITI])
        assert not isinstance(unknown, Unavailable)
        assert await ask(connector, []) == []
    assert [isinstance(one, Record) and one.person_id for one in (first, second, again)] == [
        *map(person_id, (SITI, BUDI, SITI))
    ]


async def it_says_what_was_asked_with_its_day_and_nothing_more(bench: Bench) -> None:
    async with bench.connected() as connector:
        for fields in (connector.provides, *(frozenset({name}) for name in connector.provides)):
            (said,) = await ask(connector, [SITI], fields)
            assert isinstance(said, Record), said
            assert said.values.keys() == fields
            for name, value in said.values.items():
                assert value is None or said.as_of.get(name, said.default_as_of) is not None
                assert value is None or value in bench.kind.words.get(name, {value}), name
            assert any(value is not None for value in said.values.values())


async def somebody_unknown_is_nobody(bench: Bench) -> None:
    """A source that has a word for them says it where that is asked."""
    async with bench.connected() as connector:
        worded = {name for name in connector.provides if "not_found" in bench.kind.words.get(name, ())}
        for name in connector.provides:
            (said,) = await ask(connector, [NOBODY], frozenset({name}))
            if name in worded:
                assert isinstance(said, Record)
                assert said.values == {name: "not_found"}
            else:
                assert said == NotFound(), name


async def who_has_no_nik_is_nobody_and_not_asked_about(bench: Bench) -> None:
    async with bench.connected() as connector:
        deadline = asyncio.get_running_loop().time() + IN_TIME_S
        nameless = Subject(None, person_id(SITI), subject(connector, SITI).known)
        assert await connector.fetch([nameless], connector.provides, TODAY, deadline) == [NotFound()]
    assert bench.asked == []


async def one_is_answered_as_many_are(bench: Bench) -> None:
    crowd = [SITI, BUDI, NOBODY, BUDI]
    async with bench.connected() as connector:
        together = await ask(connector, crowd)
        alone = [(await ask(connector, [one]))[0] for one in crowd]
    assert together == alone
    assert isinstance(alone[0], Record)


# --- What it does when there is trouble


async def a_source_that_is_down_is_unavailable_with_its_time_and_a_cause(bench: Bench) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    began = clock()
    async with bench.connected(url=nowhere) as connector:
        outcomes = await ask(connector, [SITI, BUDI])
    for outcome in outcomes:
        assert isinstance(outcome, Unavailable), outcome
        assert began <= outcome.since <= clock()
        assert nowhere.removeprefix("http://") in outcome.cause  # an operator reads where to look
        assert_impersonal(outcome.cause)


async def a_deadline_that_has_passed_sends_nothing(bench: Bench) -> None:
    async with bench.connected() as connector:
        began = asyncio.get_running_loop().time()
        outcomes = await ask(connector, [SITI, BUDI], within_s=-1.0)
        assert asyncio.get_running_loop().time() - began < LATENESS_S
    assert [type(one) for one in outcomes] == [Unavailable, Unavailable]
    assert bench.asked == []


async def a_source_that_never_answers_costs_the_deadline_and_no_more(bench: Bench) -> None:
    with silent_server() as url:
        async with bench.connected(url=url) as connector:
            began = asyncio.get_running_loop().time()
            outcomes = await ask(connector, [SITI, BUDI], within_s=SHORT_S)
            took_s = asyncio.get_running_loop().time() - began
    assert [type(one) for one in outcomes] == [Unavailable, Unavailable]
    assert took_s < SHORT_S + LATENESS_S


async def a_ping_finds_the_source_and_tells_each_wrong_secret_as_configuration(bench: Bench) -> None:
    async with bench.connected() as connector:
        await connector.ping()
    for name in bench.kind.secrets:
        wrong = f"wrong-{name}"
        async with bench.connected(secrets={name: wrong}) as connector:
            cause = await refusal(connector)
            assert cause is not None, f"a wrong {name} is not noticed"
            assert wrong not in cause
            (outcome,) = await ask(connector, [SITI])
            assert isinstance(outcome, Unavailable), name


async def refusal(connector: Connector) -> str | None:
    """Which configuration a ping finds to be wrong, if any."""
    try:
        await connector.ping()
    except Misconfigured as failure:
        return failure.cause
    return None


# --- What must not get out


async def no_address_holds_a_nik_unless_its_protocol_wants_one(bench: Bench) -> None:
    async with bench.connected() as connector:
        await ask(connector, [*PEOPLE, NOBODY])
        await connector.ping()
    assert bench.asked
    exposed = any(one.nik in address for one in (*PEOPLE, NOBODY) for address in bench.asked)
    # An exemption that is no longer needed must go.
    assert exposed == bool(bench.kind.nik_in_address)


async def nobody_and_no_secret_is_logged_by_anything_it_uses(bench: Bench) -> None:
    with everything_logged() as lines:
        async with bench.connected() as connector:
            await ask(connector, [*PEOPLE, NOBODY])
            await connector.ping()
        async with bench.connected(url=f"http://127.0.0.1:{unused_port()}") as connector:
            await ask(connector, [SITI])
    told = "\n".join(lines)
    assert_impersonal(told)
    assert not [secret for secret in bench.kind.simulation.secrets.values() if secret in told]


Check = Callable[[Bench], Awaitable[None]]
CHECKS: tuple[Check, ...] = (
    its_name_and_keys_are_its_own,
    its_fields_are_those_that_the_dictionary_says_it_has,
    what_it_needs_is_what_the_registry_knows,
    only_words_of_the_dictionary_may_be_remembered_of_it,
    everybody_is_answered_in_the_order_of_the_question,
    it_says_what_was_asked_with_its_day_and_nothing_more,
    somebody_unknown_is_nobody,
    who_has_no_nik_is_nobody_and_not_asked_about,
    one_is_answered_as_many_are,
    a_source_that_is_down_is_unavailable_with_its_time_and_a_cause,
    a_deadline_that_has_passed_sends_nothing,
    a_source_that_never_answers_costs_the_deadline_and_no_more,
    a_ping_finds_the_source_and_tells_each_wrong_secret_as_configuration,
    no_address_holds_a_nik_unless_its_protocol_wants_one,
    nobody_and_no_secret_is_logged_by_anything_it_uses,
)


@contextmanager
def on_the_bench(kind: SourceKind[Any], dictionary: Mapping[str, Field]) -> Iterator[Bench]:
    """A kind of source with its simulator served."""
    asked: list[str] = []
    app: ASGIApp = kind.simulation.serve(PEOPLE, kind.simulation.secrets, clock)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await app(scope, receive, send)

    with served(noting) as url:
        yield Bench(kind, dictionary, url, asked)


@contextmanager
def silent_server() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What any library logs at any level, while the block runs."""
    lines: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root = logging.getLogger()
    listening, level = Listening(), root.level
    root.addHandler(listening)
    root.setLevel(logging.NOTSET + 1)
    try:
        yield lines
    finally:
        root.removeHandler(listening)
        root.setLevel(level)
