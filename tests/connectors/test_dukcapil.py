"""The Dukcapil connector against the simulator, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from connectors.base import Connector, NotFound, Outcome, Record, Subject, Unavailable
from connectors.dukcapil.connector import DukcapilConnector
from connectors.dukcapil.feedback import FeedbackEntry, FeedbackSettings, deliver_feedback
from connectors.dukcapil.settings import DukcapilSettings
from connectors.dukcapil.wire import Credentials, Spelling
from connectors.quota import QuotaWarning
from connectors.simulators.dukcapil import Account, Dialect, DukcapilSimulator
from connectors.transport.breaker import BreakerSettings
from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured, Rejected, SourceFailure
from connectors.transport.settings import SourceSettings
from tests.connectors.ledgers import DictLedger
from tests.connectors.simulated import served

pytestmark = pytest.mark.anyio

ANYBODY = UUID(int=9)
LOGIN = Credentials("latihan", "rahasia", "10.0.0.1")
STATE = frozenset({"dukcapil_person_state"})
NAME = frozenset({"dukcapil_full_name"})
ALL = DukcapilConnector.provides
# 22:00 WIB on 1 March
EVENING = datetime(2026, 3, 1, 15, tzinfo=UTC)


def _person(serial: int, **more: Any) -> dict[str, Any]:
    return {
        "nik": f"357801040387{serial:04}",
        "full_name": "Siti Wulandari",
        "birth_date": date(1987, 3, 4),
        "birth_place": "Surabaya",
        "sex": "P",
        "mother_name": "Sri Kartika",
        "address": "Jl. Melati 17",
        "family_card_number": "3578011202149002",
        "region": "35.78.01.1001",
        "rt": "001",
        "rw": "002",
        **more,
    }


PEOPLE = [
    _person(9001),
    _person(9002, dukcapil_state="deceased"),
    _person(9003, dukcapil_state="duplicate"),
    _person(9004, dukcapil_state="inactive"),
    *(_person(serial) for serial in range(9100, 9200)),
]
WULANDARI = PEOPLE[0]
UNKNOWN_NIK = "3578010403879999"


def subject(row: dict[str, Any], **other: Any) -> Subject:
    known = {name: value for name, value in {**row, **other}.items() if name in DukcapilConnector.needs}
    return Subject(nik=row["nik"], person_id=ANYBODY, known=known)


class Clock:
    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger() -> DictLedger:
    return DictLedger()


@pytest.fixture
def simulator(clock: Clock) -> DukcapilSimulator:
    return DukcapilSimulator(PEOPLE, clock=clock)


@pytest.fixture
def address(simulator: DukcapilSimulator) -> Iterator[str]:
    with served(simulator.app) as url:
        yield url


@pytest.fixture
def configured(address: str) -> DukcapilSettings:
    return DukcapilSettings(
        source=SourceSettings(name="dukcapil", base_url=address),
        family="central_named",
        customer="KEMENSOS",
        threshold=80,
        daily_quota=1000,
    )


@asynccontextmanager
async def connected(
    configured: DukcapilSettings, ledger: DictLedger, clock: Clock, warnings: list[QuotaWarning] | None = None
) -> AsyncIterator[DukcapilConnector]:
    heard = [] if warnings is None else warnings
    async with Transport(configured.source) as transport:
        yield DukcapilConnector(configured, LOGIN, transport, ledger, clock=clock, on_quota_low=heard.append)


async def ask(
    connector: DukcapilConnector, *subjects: Subject, fields: frozenset[str] = ALL, within_s: float = 5.0
) -> list[Outcome]:
    deadline = asyncio.get_running_loop().time() + within_s
    return list(await connector.fetch(subjects, fields, date(2026, 3, 1), deadline))


@pytest.fixture
async def connector(
    configured: DukcapilSettings, ledger: DictLedger, clock: Clock
) -> AsyncIterator[DukcapilConnector]:
    async with connected(configured, ledger, clock) as connector:
        yield connector


def values(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Record), outcome
    return dict(outcome.values)


def cause(outcome: Outcome) -> str:
    assert isinstance(outcome, Unavailable), outcome
    return outcome.cause


# --- What is asked and said


async def test_it_is_a_connector(connector: Connector) -> None:
    assert (connector.name, connector.outside, connector.many_at_once) == ("dukcapil", True, False)


async def test_verdicts_and_the_persons_state_come_back_dated_in_jakarta(
    connector: DukcapilConnector, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 1, 18, tzinfo=UTC)  # 01:00 WIB on the next day
    changed = {"birth_date": date(1987, 4, 3), "mother_name": "Endang Lestari", "birth_place": None}
    (outcome,) = await ask(connector, subject(WULANDARI, **changed))
    assert isinstance(outcome, Record)
    assert (outcome.person_id, outcome.default_as_of) == (ANYBODY, date(2026, 3, 2))
    assert outcome.values == {
        "dukcapil_full_name": "match",
        "dukcapil_birth_date": "no_match",
        "dukcapil_birth_place": None,
        "dukcapil_sex": "match",
        "dukcapil_mother_name": "no_match",
        "dukcapil_address": "match",
        "dukcapil_family_card_number": "match",
        "dukcapil_person_state": "alive",
    }


async def test_states_of_persons_arrive_in_the_order_of_the_question(connector: DukcapilConnector) -> None:
    asked = [*PEOPLE[:4], _person(9999), PEOPLE[0]]
    outcomes = await ask(connector, *map(subject, asked))
    states = [values(outcome)["dukcapil_person_state"] for outcome in outcomes]
    assert states == ["alive", "deceased", "duplicate", "inactive", "not_found", "alive"]
    assert [values(outcome)["dukcapil_full_name"] for outcome in outcomes[1:5]] == [None] * 4


async def test_who_is_not_found_is_so_called_where_no_state_is_asked(connector: DukcapilConnector) -> None:
    assert await ask(connector, subject(_person(9999)), fields=NAME) == [NotFound()]


async def test_only_elements_of_asked_fields_leave_the_gateway(
    connector: DukcapilConnector, simulator: DukcapilSimulator
) -> None:
    await ask(connector, subject(WULANDARI), fields=NAME)
    await ask(connector, subject(WULANDARI), fields=STATE)
    control = {"USER_ID", "PASSWORD", "IP_USER", "TRESHOLD", "NIK"}
    assert simulator.requests == [control | {"NAMA_LGKP"}, control]


async def test_a_question_without_anything_to_compare_costs_no_call(
    connector: DukcapilConnector, simulator: DukcapilSimulator, ledger: DictLedger
) -> None:
    nameless = subject(WULANDARI, full_name=None)
    malformed = nameless._replace(nik="35780104")
    assert [values(o) for o in await ask(connector, nameless, fields=NAME)] == [{"dukcapil_full_name": None}]
    assert await ask(connector, malformed) == [NotFound()]
    assert (simulator.calls, ledger.made) == (0, {})


async def test_the_same_question_twice_in_a_batch_is_sent_once(
    connector: DukcapilConnector, simulator: DukcapilSimulator
) -> None:
    outcomes = await ask(connector, *[subject(WULANDARI)] * 5)
    assert (len(outcomes), simulator.calls) == (5, 1)


_DIALECTS = [
    Dialect(),
    Dialect(message_key="RESPONSE", with_code=False, lower_case_texts=True, scores=False),
    Dialect(message_key="RESPONSE_DESC", numbers=True, nik_echo=True, with_quota=False),
    Dialect(lower_case_keys=True, birth_date_format="%Y-%m-%d"),
]


@pytest.mark.parametrize(
    "how",
    [
        {"family": "central_named", "customer": "KEMENSOS"},
        {"family": "central_numeric", "customer": "123456789012345"},
        {"family": "regional", "region": "33-74", "customer": "idinsos_3374"},
        {"call": "record", "method": "GET_NIK"},
        {"spelling": Spelling(user_id="user_id", password="password", ip_user="ip_users", nik="nik")},
    ],
)
async def test_every_family_spelling_call_and_dialect_says_the_same(
    configured: DukcapilSettings,
    simulator: DukcapilSimulator,
    ledger: DictLedger,
    clock: Clock,
    how: dict[str, Any],
) -> None:
    simulator.accounts = (Account(customer=how.get("customer", "KEMENSOS")),)
    for dialect in _DIALECTS:
        simulator.dialect = dialect
        layout = "YYYY-MM-DD" if dialect.birth_date_format == "%Y-%m-%d" else "DD-MM-YYYY"
        async with connected(
            replace(configured, birth_date_format=layout, **how), ledger, clock
        ) as connector:
            first, *others = await ask(
                connector, *(subject(row, sex="L") for row in [*PEOPLE[:4], _person(9999)])
            )
        assert values(first) == {
            **dict.fromkeys(ALL, "match"),
            "dukcapil_sex": "no_match",
            "dukcapil_person_state": "alive",
        }
        states = [values(outcome)["dukcapil_person_state"] for outcome in others]
        assert states == ["deceased", "duplicate", "inactive", "not_found"]


# --- Refusals and failures


@pytest.mark.parametrize(
    ("account", "word"),
    [
        (Account(password="another"), "login"),
        (Account(customer="LAIN"), "login"),
        (Account(ip_users=frozenset({"10.0.0.2"})), "IP"),
        (Account(hosts=frozenset({"10.0.0.2"})), "IP"),
        (Account(active=False), "user is inactive"),
        (Account(customer_active=False), "institution is inactive"),
    ],
)
async def test_a_refusal_says_that_it_is_configuration_and_stops_the_batch(
    configured: DukcapilSettings,
    simulator: DukcapilSimulator,
    ledger: DictLedger,
    clock: Clock,
    account: Account,
    word: str,
) -> None:
    simulator.accounts = (account,)
    one_at_a_time = replace(configured, source=replace(configured.source, concurrency=1))
    async with connected(one_at_a_time, ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[:20]))
        causes = {cause(outcome) for outcome in outcomes}
        assert len(causes) == 1
        assert causes.pop().startswith("Configuration: ")
        assert word in cause(outcomes[0])
        assert simulator.calls == 1
        assert await connector.quota_left() == configured.daily_quota - 1  # what was not sent is given back
        with pytest.raises(Misconfigured):
            await connector.ping()


async def test_a_wrong_method_is_configuration(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    async with connected(replace(configured, method="CALL_NOTHING"), ledger, clock) as connector:
        (outcome,) = await ask(connector, subject(WULANDARI))
    assert cause(outcome).startswith("Configuration: ")
    assert "method" in cause(outcome)
    assert simulator.calls == 1


async def test_ping_asks_about_nobody_and_costs_one_call(
    connector: DukcapilConnector, simulator: DukcapilSimulator
) -> None:
    await connector.ping()
    assert simulator.calls == 1
    assert await connector.quota_left() == 999


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>masuk</html>", media_type="text/html"),
        Response(b'{"content": [', media_type="application/json"),
        Response(b'{"content": []}', media_type="application/json"),
        Response(b'{"content": [{"RESPON": "Siti Wulandari"}]}', media_type="application/json"),
        Response("down", status_code=500),
    ],
)
async def test_an_unusable_answer_is_unknown_for_that_person_alone_and_not_asked_again(
    connector: DukcapilConnector, simulator: DukcapilSimulator, answer: Response
) -> None:
    simulator.next_answers.append(answer)
    first = await ask(connector, subject(WULANDARI))
    second = await ask(connector, subject(WULANDARI))
    assert cause(first[0])
    assert "wulandari" not in cause(first[0]).lower()
    assert values(second[0])["dukcapil_person_state"] == "alive"
    assert simulator.calls == 2


async def test_a_lost_connection_is_repeated_once_and_counted_twice(
    configured: DukcapilSettings, ledger: DictLedger, clock: Clock
) -> None:
    """A server that hangs up may have counted the call, so the repetition takes its own unit of the quota."""
    heard = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        there = replace(configured, source=replace(configured.source, base_url=url))
        async with connected(there, ledger, clock) as connector:
            (outcome,) = await ask(connector, subject(WULANDARI))
            assert "closed the connection" in cause(outcome)
            assert (heard, configured.daily_quota - await connector.quota_left()) == (2, 2)


async def test_a_silent_source_costs_only_the_calls_that_went_out(
    configured: DukcapilSettings, ledger: DictLedger, clock: Clock
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        there = replace(configured, source=replace(configured.source, base_url=url, concurrency=2))
        async with connected(there, ledger, clock) as connector:
            outcomes = await ask(connector, *map(subject, PEOPLE[:20]), within_s=0.2)
            assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
            await asyncio.gather(*connector._settling)
            assert await connector.quota_left() == configured.daily_quota - 2


async def test_calls_that_never_left_are_given_back(
    configured: DukcapilSettings, ledger: DictLedger, clock: Clock
) -> None:
    nobody_there = replace(configured, source=replace(configured.source, base_url="http://127.0.0.1:1"))
    async with connected(nobody_there, ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[:20]))
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert await connector.quota_left() == configured.daily_quota


async def test_the_call_rate_leaves_later_questions_unasked_rather_than_late(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    async with connected(replace(configured, calls_per_second=0.01), ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[:3]), within_s=2.0)
        assert isinstance(outcomes[0], Record)
        assert {cause(outcome) for outcome in outcomes[1:]} == {
            "No turn was left before the deadline: Dukcapil is slow, or calls_per_second low."
        }
        assert simulator.calls == 1
        assert await connector.quota_left() == configured.daily_quota - 1


# --- Quota


async def test_a_thousand_questions_of_two_workers_send_exactly_the_quota(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    tight = replace(configured, daily_quota=60)
    async with connected(tight, ledger, clock) as one, connected(tight, ledger, clock) as other:
        answers = await asyncio.gather(
            *(ask(worker, subject(row), fields=STATE) for row in PEOPLE[4:] for worker in (one, other))
        )
    outcomes = [outcome for (outcome,) in answers]
    assert simulator.calls == 60
    assert sum(isinstance(outcome, Record) for outcome in outcomes) == 60
    refused = {cause(outcome) for outcome in outcomes if isinstance(outcome, Unavailable)}
    assert refused == {"The quota for 2026-03-01 is used up; calls resume at 00:00 WIB on 2026-03-02."}


async def test_an_exhausted_quota_resumes_at_midnight_in_jakarta(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    simulator.daily_quota = 2
    async with connected(replace(configured, daily_quota=2), ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[4:8]))
        assert [isinstance(outcome, Record) for outcome in outcomes] == [True, True, False, False]
        clock.now = EVENING + timedelta(hours=1, minutes=59)
        (late,) = await ask(connector, subject(WULANDARI))
        assert isinstance(late, Unavailable)
        assert late.since == EVENING
        clock.now = EVENING + timedelta(hours=2)
        (next_day,) = await ask(connector, subject(WULANDARI))
        assert isinstance(next_day, Record)
    assert simulator.calls == 3


async def test_dukcapils_own_count_is_heeded_where_it_is_lower(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    """Somebody else uses the same account: Dukcapil knows, our ledger does not."""
    simulator.daily_quota = 5
    one_at_a_time = replace(configured, source=replace(configured.source, concurrency=1))
    async with connected(one_at_a_time, ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[4:24]))
        assert [isinstance(outcome, Record) for outcome in outcomes] == [True] * 5 + [False] * 15
        assert await connector.quota_left() == 0
        await ask(connector, subject(WULANDARI))
    assert simulator.calls == 5


@pytest.mark.parametrize("with_code", [True, False])
async def test_code_05_stops_until_midnight_even_without_a_counter(
    configured: DukcapilSettings,
    simulator: DukcapilSimulator,
    ledger: DictLedger,
    clock: Clock,
    with_code: bool,
) -> None:
    simulator.daily_quota = 0
    simulator.dialect = Dialect(with_quota=False, with_code=with_code)
    one_at_a_time = replace(configured, source=replace(configured.source, concurrency=1))
    async with connected(one_at_a_time, ledger, clock) as connector:
        outcomes = await ask(connector, *map(subject, PEOPLE[4:24]))
        assert all("quota" in cause(outcome) for outcome in outcomes)
        assert simulator.calls == 1
        assert "quota" in cause((await ask(connector, subject(WULANDARI)))[0])
        with pytest.raises(SourceFailure, match="quota"):
            await connector.ping()
    assert simulator.calls == 1


async def test_a_falling_quota_warns_once_at_each_level(
    configured: DukcapilSettings, simulator: DukcapilSimulator, ledger: DictLedger, clock: Clock
) -> None:
    warnings: list[QuotaWarning] = []
    simulator.daily_quota = 10
    scarce = replace(configured, daily_quota=10, warn_at=(8, 6, 2))
    async with connected(scarce, ledger, clock, warnings) as connector:
        for row in PEOPLE[4:7]:
            await ask(connector, subject(row))
        await ask(connector, *map(subject, PEOPLE[7:12]))
    today = date(2026, 3, 1)
    assert warnings == [QuotaWarning("dukcapil", today, 8, 8), QuotaWarning("dukcapil", today, 2, 2)]


async def test_without_its_ledger_nothing_is_asked(
    connector: DukcapilConnector, simulator: DukcapilSimulator, ledger: DictLedger
) -> None:
    ledger.down = True
    (outcome,) = await ask(connector, subject(WULANDARI))
    assert "ledger" in cause(outcome)
    assert simulator.calls == 0


# --- Settings


def test_settings_name_every_problem_at_once() -> None:
    with pytest.raises(ValueError, match="customer") as raised:
        DukcapilSettings(
            source=SourceSettings(name="dukcapil", base_url="http://127.0.0.1:1"),
            family="central_numeric",
            customer="../KEMENSOS",
            region="33-74",
            method="A/B",
            threshold=0,
            daily_quota=0,
            birth_date_format="DDMMYY",
            calls_per_second=0,
        )
    problems = str(raised.value).split("; ")
    assert [problem.removeprefix("source dukcapil: ").split()[0] for problem in problems] == [
        *("customer", "customer", "method", "region", "birth_date_format", "threshold", "daily_quota"),
        "calls_per_second",
    ]


def test_a_proxys_login_goes_into_the_header() -> None:
    assert "Authorization" not in LOGIN.headers()
    behind_a_proxy = replace(LOGIN, basic_login="proxy:secret")
    assert behind_a_proxy.headers()["Authorization"] == "Basic cHJveHk6c2VjcmV0"
    assert "proxy" not in repr(behind_a_proxy)


async def test_secrets_have_no_representation(
    configured: DukcapilSettings, connector: DukcapilConnector
) -> None:
    shown = repr(configured) + repr(vars(connector))
    assert "rahasia" not in shown
    assert "latihan" not in shown


# --- Zero data sharing

_CANARIES = {
    "NIK": WULANDARI["nik"],
    "NO_KK": "3578010000009077",
    "NAMA_LGKP": "SITI WULANDARI",
    "TMPT_LHR": "KOTA-RAHASIA-TMPT",
    "TGL_LHR": "1987-03-04",
    "NAMA_LGKP_IBU": "QUINSYAH-IBU",
    "ALAMAT": "GANG KENARI 99881",
    "AGAMA": "XKEPERCAYAAN",
    "FOTO": "Zm90by1wYWxzdQ",
    "JENIS_KLMIN": "Perempuan",
}


_NEVER_OPEN = BreakerSettings(failures=10**6, window_calls=10**6)


@pytest.mark.parametrize("how", [{}, {"call": "record", "method": "CALL_NIK"}])
def test_no_element_of_any_answer_appears_in_an_outcome_a_cause_or_a_representation(
    configured: DukcapilSettings, simulator: DukcapilSimulator, clock: Clock, how: dict[str, Any]
) -> None:
    """Whole records in both calls, moved under any key, cut and patched anywhere, over the real wire."""
    source = replace(configured.source, breaker=_NEVER_OPEN)
    unlimited = replace(configured, source=source, daily_quota=10**6, **how)
    keys = [*_CANARIES, "RESPON", "RESPONSE", "RESPONSE_CODE", "quotaLimiter"]
    seen = []

    async def exchange(transport: Transport) -> list[Outcome]:
        connector = DukcapilConnector(unlimited, LOGIN, transport, DictLedger(), clock=clock)
        outcomes = await ask(connector, subject(_person(9001, mother_name=None)))
        assert not _canaries_in(repr(vars(connector)))
        return outcomes

    @settings(deadline=None, max_examples=150)
    @given(
        moved=st.dictionaries(st.sampled_from(keys), st.sampled_from(list(_CANARIES.values())), max_size=3),
        corrupt=st.sampled_from(["not", "cut", "patched"]),
        at=st.integers(0, 400),
        patch=st.binary(max_size=3),
        status=st.sampled_from([200, 200, 200, 400, 404, 500]),
    )
    def check(moved: dict[str, str], corrupt: str, at: int, patch: bytes, status: int) -> None:
        body = json.dumps({"content": [{**_CANARIES, **moved}], "numberOfElements": 1}).encode()
        bodies = {"not": body, "cut": body[:at], "patched": body[:at] + patch + body[at + len(patch) :]}
        answer = Response(bodies[corrupt], status_code=status, media_type="application/json")
        simulator.next_answers.append(answer)
        (outcome,) = runner.run(exchange(transport))
        seen.append(type(outcome))
        assert not _canaries_in(repr(outcome))
        if isinstance(outcome, Record):
            states = {"alive", "deceased", "duplicate", "inactive", "not_found", "malformed_nik"}
            assert set(outcome.values.values()) <= {None, "match", "no_match", *states}

    with asyncio.Runner() as runner:
        transport = Transport(source)
        check()
        runner.run(transport.aclose())
    assert Unavailable in seen
    assert (Record in seen) == bool(how)  # a verification that echoes elements is none


def _canaries_in(text: str) -> list[str]:
    return [name for name, canary in _CANARIES.items() if canary.lower() in text.lower()]


# --- Feedback


@pytest.fixture
def feedback(address: str, tmp_path: Path) -> FeedbackSettings:
    (tmp_path / "token").write_text("token-latihan\n")
    return FeedbackSettings(
        source=SourceSettings(name="dukcapil-feedback", base_url=address),
        path="/databalikan/api/store",
        institution_id="027",
        institution_name="KEMENTERIAN SOSIAL",
        token_file=tmp_path / "token",
    )


ENTRIES = [FeedbackEntry(WULANDARI["nik"], {"PKH": "YA", "BPNT": "TIDAK"})]


async def deliver(feedback: FeedbackSettings, entries: list[FeedbackEntry]) -> str:
    async with Transport(feedback.source) as transport:
        deadline = asyncio.get_running_loop().time() + 5
        return await deliver_feedback(transport, feedback, entries, deadline)


async def test_feedback_delivered_twice_counts_once_and_is_no_failure(
    feedback: FeedbackSettings, simulator: DukcapilSimulator
) -> None:
    assert await deliver(feedback, ENTRIES) == "delivered"
    assert await deliver(feedback, ENTRIES) == "already_delivered"
    param = [{"PKH": "YA", "BPNT": "TIDAK"}]
    assert simulator.feedback == [
        {
            "id_lembaga": "027",
            "nama_lembaga": "KEMENTERIAN SOSIAL",
            "data": [{"NIK": WULANDARI["nik"], "param": param}],
        }
    ]


async def test_feedback_is_retried_when_the_service_stumbles(
    feedback: FeedbackSettings, simulator: DukcapilSimulator
) -> None:
    simulator.next_answers.append(Response("later", status_code=503))
    assert await deliver(feedback, ENTRIES) == "delivered"


async def test_a_wrong_or_missing_token_is_configuration(feedback: FeedbackSettings) -> None:
    feedback.token_file.write_text("another")
    with pytest.raises(Misconfigured):
        await deliver(feedback, ENTRIES)
    feedback.token_file.unlink()
    with pytest.raises(Misconfigured, match="token_file"):
        await deliver(feedback, ENTRIES)


@pytest.mark.parametrize(
    ("body", "status", "failure"),
    [
        (b'{"message": "Parameter Tidak Valid"}', 400, Rejected),
        (b'{"message": "Gagal"}', 200, SourceFailure),
        (b"[]", 200, SourceFailure),
        (b'{"message": 7}', 400, SourceFailure),
    ],
)
async def test_feedback_counts_as_delivered_only_if_the_service_says_so(
    feedback: FeedbackSettings,
    simulator: DukcapilSimulator,
    body: bytes,
    status: int,
    failure: type[SourceFailure],
) -> None:
    simulator.next_answers.append(Response(body, status_code=status, media_type="application/json"))
    with pytest.raises(failure):
        await deliver(feedback, ENTRIES)
