"""`sources.toml`: what it makes, and what it refuses, all at once and without quoting a secret."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from connectors.base import LastKnown, Record, Subject, Unavailable
from connectors.base import NotFound as Nobody
from connectors.simulators.bpjs import BpjsSimulator
from connectors.simulators.dukcapil import Account, DukcapilSimulator
from gateway.database import Database
from gateway.errors import NotFound, SettingsInvalid
from gateway.sources.configured import Configured, read_sources
from gateway.sources.folder import Sources, build_sources
from tests.connectors.simulated import served
from tests.gateway.sources.populace import TODAY, Clock, write_secrets

DUKCAPIL = """
[dukcapil]
base_url = "{url}"
credentials_folder = "dukcapil"
family = "central_named"
customer = "KEMENSOS"
threshold = 80
daily_quota = 3
warn_at = [2]
max_attempts = 1
"""
BPJS = """
[bpjs]
base_url = "{url}/vclaim-rest"
credentials_folder = "bpjs"
"""
PKH = """
[programmes.PKH]
base_url = "https://splp.example.go.id"
path = "/bansos/1.0/memberships"
credentials_folder = "pkh"
excludes = ["BST"]
breaker = {{ open_s = 30.0 }}
"""


def write(folder: Path, text: str) -> Path:
    write_secrets(folder / "dukcapil", user_id="latihan", password="rahasia", ip_user="10.0.0.1")
    write_secrets(folder / "bpjs", consumer_id="10000", secret="made-up-secret", user_key="made-up-key")
    write_secrets(folder / "pkh", client_id="made-up", client_secret="made-up-secret")
    path = folder / "sources.toml"
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(SettingsInvalid) as refusal:
        read_sources(path)
    return refusal.value.problems


async def test_nothing_configured_is_no_outside_source(database: Database) -> None:
    sources = build_sources(None, database, Clock())
    assert (sources.connectors, sources.lists, sources.names) == ((), {}, ())
    await sources.aclose()


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    configured = read_sources(write(tmp_path, (DUKCAPIL + BPJS + PKH).format(url="https://a.example.go.id")))
    assert [one.name for one in configured.sources] == ["bpjs", "dukcapil"]
    (pkh,) = configured.lists
    assert (pkh.programme, pkh.excludes, pkh.page_size) == ("PKH", {"BST"}, 1000)
    assert pkh.api.breaker.open_s == 30
    assert pkh.tokens is pkh.api


def test_a_token_endpoint_elsewhere_has_limits_of_its_own(tmp_path: Path) -> None:
    text = PKH.format() + 'token_base_url = "https://iam.example.go.id"\n'
    (pkh,) = read_sources(write(tmp_path, text)).lists
    assert (pkh.tokens.name, pkh.tokens.base_url) == ("pkh-list-tokens", "https://iam.example.go.id")


def test_an_empty_file_configures_nothing(tmp_path: Path) -> None:
    assert read_sources(write(tmp_path, "")) == Configured()


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = (DUKCAPIL + BPJS + PKH).format(url="http://10.1.2.3").replace("threshold = 80", "threshold = 0")
    path = write(tmp_path, text.replace('"BST"', '"b st"'))
    (tmp_path / "bpjs" / "secret").chmod(0o640)
    (tmp_path / "pkh" / "client_secret").unlink()
    (tmp_path / "dukcapil" / "password").write_text("  \n")
    told = "\n".join(problems(path))
    for expected in (
        "[dukcapil]: source dukcapil: base_url is plain HTTP",
        "[bpjs]: source bpjs: base_url is plain HTTP",
        "secret has mode 0640",
        "client_secret is missing",
        "password is empty",
        "[programmes.PKH] excludes",
    ):
        assert expected in told


def test_a_sections_own_keys_are_checked_although_a_secret_of_it_is_missing(tmp_path: Path) -> None:
    text = DUKCAPIL.format(url="https://a.example.go.id").replace("threshold = 80", "threshold = 0")
    path = write(tmp_path, text)
    (tmp_path / "dukcapil" / "password").unlink()
    told = problems(path)
    assert len(told) == 2
    assert "password is missing" in told[0]
    assert "threshold must be 1 to 100" in told[1]


def test_mistakes_of_several_sections_are_told_together(tmp_path: Path) -> None:
    broken = (DUKCAPIL.replace("threshold", "threshhold") + BPJS + "concurrency = true\n" + PKH).format(
        url="https://a.example.go.id"
    )
    told = problems(write(tmp_path, 'password = "rahasia-sekali"\n[bpsj]\n' + broken + "page_size = 0\n"))
    for place in (
        "password is not a section of this file; its sections are big, bpjs, dukcapil, dukcapil_feedback",
        "bpsj is not a section",
        "dukcapil.threshold: ",
        "dukcapil.threshhold is not a key",
        "bpjs.concurrency: ",
        "programmes.PKH.page_size: ",
    ):
        assert any(place in one for one in told), place
    assert len(told) == 6
    assert "rahasia-sekali" not in "".join(told)


@pytest.mark.parametrize("text", ["bpjs = 'rahasia-sekali'", "programmes = 1", "programmes.PKH = 1"])
def test_a_section_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (told,) = problems(write(tmp_path, text))
    assert "is not a section: write [" in told
    assert "rahasia" not in told


def test_a_section_that_others_read_is_left_to_them(tmp_path: Path) -> None:
    assert read_sources(write(tmp_path, '[big]\nlayers = { regency = "/x" }\n')) == Configured()


def test_wrong_numbers_are_told_by_their_key(tmp_path: Path) -> None:
    text = DUKCAPIL.format(url="https://a.example.go.id").replace("threshold = 80", "threshold = 0")
    (told,) = problems(write(tmp_path, text))
    assert "threshold must be 1 to 100" in told


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('password = "rahasia-sekali"', "dukcapil.password"),
        ('threshhold = "rahasia-sekali"', "dukcapil.threshhold"),
        ('max_attempts = "rahasia-sekali"', "dukcapil.max_attempts"),
        ("call = 'rahasia-sekali'", "dukcapil.call"),
        ("spelling = { nik = 'N', treshold = 'rahasia-sekali' }", "dukcapil.spelling.treshold"),
    ],
)
def test_a_key_or_value_that_does_not_belong_is_refused_without_quoting_it(
    tmp_path: Path, line: str, key: str
) -> None:
    text = DUKCAPIL.format(url="https://a.example.go.id").replace("max_attempts = 1", line)
    (told,) = problems(write(tmp_path, text))
    assert key in told
    assert "rahasia-sekali" not in told


def test_what_is_no_toml_is_told_by_its_place(tmp_path: Path) -> None:
    (told,) = problems(write(tmp_path, "[dukcapil]\npassword = rahasia-sekali\n"))
    assert "line 2" in told
    assert "rahasia" not in told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (told,) = problems(tmp_path / "nowhere.toml")
    assert "nowhere.toml: cannot be read as TOML: FileNotFoundError" in told


async def one(sources: Sources, name: str, subject: Subject, fields: set[str]) -> object:
    (connector,) = [each for each in sources.connectors if each.name == name]
    deadline = asyncio.get_running_loop().time() + 30
    (outcome,) = await connector.fetch([subject], frozenset(fields), TODAY, deadline)
    return outcome


async def test_configured_sources_are_asked_counted_warned_of_and_remembered(
    database: Database, tmp_path: Path
) -> None:
    people = [{"nik": "3578014708990001", "full_name": "SITI CONTOH"}]
    clock = Clock()
    accounts = (Account(password="rahasia"),)
    dukcapil = DukcapilSimulator(people, accounts=accounts, clock=clock, daily_quota=100)
    bpjs = BpjsSimulator([], "10000", "made-up-secret", "made-up-key", clock=clock)
    told: list[tuple[str, dict[str, object]]] = []

    def tell(name: str, *, level: str = "info", **fields: object) -> None:
        told.append((f"{name}:{level}", fields))

    siti = Subject("3578014708990001", UUID(int=1), {"full_name": "SITI CONTOH"})
    with served(dukcapil.app) as a, served(bpjs.app) as b:
        path = write(tmp_path, DUKCAPIL.format(url=a) + BPJS.format(url=b))
        sources = build_sources(path, database, clock, tell)
        assert sources.names == ("bpjs", "dukcapil")
        await sources.check("dukcapil")
        await sources.check("bpjs")
        assert await sources.quota_left("dukcapil") == 2
        assert await sources.quota_left("bpjs") is None
        verdict = await one(sources, "dukcapil", siti, {"dukcapil_full_name"})
        assert isinstance(verdict, Record)
        assert verdict.values == {"dukcapil_full_name": "match"}
        assert await one(sources, "bpjs", siti, {"bpjs_segment"}) == Nobody()
        assert [state.reachable for state in sources.states()] == [True, True]
        expected = {"source": "dukcapil", "day": "2026-11-21", "threshold": 2, "calls_left": 2}
        assert told == [("source:quota_low:warning", expected)]
        with pytest.raises(NotFound, match="bpjs, dukcapil"):
            await sources.check("nobody")
    await sources.aclose()
    again = build_sources(path, database, clock)
    silent = await one(again, "dukcapil", siti, {"dukcapil_full_name"})
    assert isinstance(silent, Unavailable)
    assert silent.last_known == {"dukcapil_full_name": LastKnown("match", TODAY)}
    await again.aclose()


async def test_what_the_agreement_with_dukcapil_spells_otherwise_is_sent_so(
    database: Database, tmp_path: Path
) -> None:
    dukcapil = DukcapilSimulator((), accounts=(Account(password="rahasia"),))
    spelling = 'spelling = { ip_user = "IP_USERS" }\n'
    with served(dukcapil.app) as url:
        sources = build_sources(write(tmp_path, DUKCAPIL.format(url=url) + spelling), database, Clock())
        await sources.check("dukcapil")
        await sources.aclose()
    (names,) = dukcapil.requests
    assert names == {"USER_ID", "PASSWORD", "IP_USERS", "NIK", "TRESHOLD"}
