from __future__ import annotations

import json
import secrets
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.consumers import app
from gateway.database import Database
from gateway.errors import BadInput, Conflict, FileUnusable, NotFound
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.jose import make_key_pair
from tests.gateway.oauth.partner import make_key, public
from tests.gateway.oauth.running import Shared


@pytest.fixture
def store(shared: Shared) -> ConsumerStore:
    """A store that other tests use too: every test registers consumers of its own."""
    return ConsumerStore(shared.database)


@pytest.fixture
def agency() -> dict[str, Any]:
    """What is told of a new consumer, but its keys."""
    return {"id": f"agency-{secrets.token_hex(4)}", "name": "BPJS Kesehatan", "sector": "kesehatan"}


def _jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys) or [public(make_key("ES256"))]}


def test_a_consumer_is_found_as_it_was_registered(store: ConsumerStore, agency: dict[str, Any]) -> None:
    keys = [make_key("ES256", "one"), make_key("Ed25519", "two"), make_key("PS256", "three")]
    consumer = store.register(**agency, regions=("32", "33.01"), jwks=_jwks(*map(public, keys)))
    assert consumer == Consumer(agency["id"], "BPJS Kesehatan", "kesehatan", ("32", "33.01"))
    found = store.get(consumer.id)
    assert (found.consumer, found.active) == (consumer, True)
    assert {kid: key.thumbprint for kid, key in found.keys.items()} == {k.kid: k.thumbprint() for k in keys}


def test_consumers_are_listed_by_id_and_an_unknown_one_is_not_found(
    database: Database, agency: dict[str, Any]
) -> None:
    store = ConsumerStore(database)
    for name in ("b", "a", "c"):
        store.register(**{**agency, "id": name}, jwks=_jwks())
    assert [registration.consumer.id for registration in store.list()] == ["a", "b", "c"]
    for unknown in ("d", "", "A", "a'--", "\x00", "é"):
        assert store.find(unknown) is None
        with pytest.raises(NotFound):
            store.get(unknown)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": ""}, "id"),
        ({"id": "BPJS"}, "id"),
        ({"id": "-a"}, "id"),
        ({"id": "a_b"}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"id": "a\n"}, "id"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 201}, "name"),
        ({"sector": ""}, "sector"),
        ({"sector": "Kesehatan"}, "sector"),
        ({"sector": "a.b"}, "sector"),
        ({"sector": "1a"}, "sector"),
        ({"sector": "a" * 33}, "sector"),
        ({"regions": ("32", "3")}, "region 2"),
        ({"regions": ("32.1",)}, "region 1"),
        ({"regions": ("32.04.05.2001.1",)}, "region 1"),
        ({"regions": ("Jawa Barat",)}, "region 1"),
    ],
    ids=str,
)
def test_a_bad_id_name_sector_or_region_is_refused(
    store: ConsumerStore, agency: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=f"- {told}"):
        store.register(**{**agency, **change}, jwks=_jwks())
    assert store.find(agency["id"]) is None


@pytest.mark.parametrize(
    ("jwks", "told"),
    [
        (None, "expected"),
        ([], "expected"),
        ({}, "expected"),
        ({"keys": []}, "expected"),
        ({"keys": "x"}, "expected"),
        ({"keys": [public(make_key("ES256"))] * 21}, "expected"),
        (_jwks({"kty": "oct", "k": "x", "kid": "a"}), "shared secret"),
        (_jwks(dict(make_key("ES256").as_dict(private=True))), "private members"),
        (_jwks({**public(make_key("ES256")), "kid": None}), "kid"),
        (_jwks({n: v for n, v in public(make_key("ES256")).items() if n != "kid"}), "kid"),
        (_jwks({**public(make_key("ES256")), "kid": "a b"}), "kid"),
        (_jwks({**public(make_key("ES256")), "kid": "x" * 129}), "kid"),
        (_jwks({**public(make_key("ES256")), "alg": "ES384"}), "alg"),
        (_jwks({**public(make_key("PS256")), "alg": "RS256"}), "alg"),
        (_jwks({**public(make_key("ES256")), "alg": ["ES256"]}), "alg"),
        (_jwks({**public(make_key("ES256")), "use": "enc"}), "use"),
        (_jwks({**public(make_key("ES256")), "key_ops": ["encrypt"]}), "use"),
        (_jwks({**public(make_key("ES256")), "key_ops": 7}), "use"),
        (_jwks(public(make_key("ES256", "a")), public(make_key("ES256", "a"))), "kid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "jwks",
)
def test_a_key_set_with_anything_unfit_is_refused_whole(
    store: ConsumerStore, agency: dict[str, Any], jwks: object, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        store.register(**agency, jwks=jwks)
    assert store.find(agency["id"]) is None


def test_every_problem_is_told_at_once(store: ConsumerStore) -> None:
    jwks = _jwks({"kty": "oct"}, {"kty": "RSA"})
    with pytest.raises(BadInput) as told:
        store.register(id="A", name="", sector="", regions=("x",), jwks=jwks)
    assert str(told.value).count("\n  - ") == 6


def test_an_id_is_registered_once_even_by_many_at_once(store: ConsumerStore, agency: dict[str, Any]) -> None:
    def register(_: int) -> bool:
        try:
            store.register(**agency, jwks=_jwks())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(register, range(8))) == 1
    assert len(store.get(agency["id"]).keys) == 1


def test_keys_come_and_go_but_never_the_last(store: ConsumerStore, agency: dict[str, Any]) -> None:
    store.register(**agency, jwks=_jwks(public(make_key("ES256", "one"))))
    assert store.add_key(agency["id"], public(make_key("PS256", "two"))) == "two"
    with pytest.raises(Conflict, match="already"):
        store.add_key(agency["id"], public(make_key("ES256", "two")))
    with pytest.raises(BadInput, match="kid"):
        store.add_key(agency["id"], {**public(make_key("ES256")), "kid": ""})
    store.remove_key(agency["id"], "one")
    with pytest.raises(Conflict, match="last key"):
        store.remove_key(agency["id"], "two")
    with pytest.raises(NotFound):
        store.remove_key(agency["id"], "one")
    assert set(store.get(agency["id"]).keys) == {"two"}


def test_a_consumer_has_a_bounded_number_of_keys(store: ConsumerStore, agency: dict[str, Any]) -> None:
    store.register(**agency, jwks=_jwks(*[public(make_key("ES256", f"k{number}")) for number in range(20)]))
    with pytest.raises(Conflict, match="20 keys"):
        store.add_key(agency["id"], public(make_key("ES256", "one-more")))


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.disable("nobody"),
        lambda store: store.enable("nobody"),
        lambda store: store.add_key("nobody", public(make_key("ES256"))),
        lambda store: store.remove_key("nobody", "k"),
    ],
)
def test_what_concerns_nobody_is_not_found(
    store: ConsumerStore, act: Callable[[ConsumerStore], None]
) -> None:
    with pytest.raises(NotFound):
        act(store)


def test_disabling_and_enabling_may_be_repeated(store: ConsumerStore, agency: dict[str, Any]) -> None:
    store.register(**agency, jwks=_jwks())
    for change, active in ((store.disable, False), (store.disable, False), (store.enable, True)):
        change(agency["id"])
        assert store.get(agency["id"]).active is active


# the command


@pytest.fixture
def command(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("GAPURA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GAPURA_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_administrator_registers_a_partner_from_nothing(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    made = command("keygen", "dinsos-jabar")
    assert made.exit_code == 0, made.output
    private_file = tmp_path / "dinsos-jabar.private.jwk.json"
    assert stat.S_IMODE(private_file.stat().st_mode) == 0o600
    public_file = tmp_path / "dinsos-jabar.jwks.json"
    (published,) = json.loads(public_file.read_text())["keys"]
    assert "d" not in published
    assert json.loads(private_file.read_text())["kid"] == published["kid"]

    options = ["--name", "Dinas Sosial Jawa Barat", "--sector", "sosial", "--region", "32"]
    added = command("add", "dinsos-jabar", *options, "--jwks", public_file)
    assert added.exit_code == 0, added.output
    listed = command("list").output
    for told in ("dinsos-jabar", "active", "Dinas Sosial Jawa Barat", "regions 32", published["kid"]):
        assert told in listed
    assert command("disable", "dinsos-jabar").exit_code == 0
    assert "DISABLED" in command("list").output
    assert command("enable", "dinsos-jabar").exit_code == 0
    assert "DISABLED" not in command("list").output


def test_a_partner_rotates_its_key_in_two_steps(command: Callable[..., Result], tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        assert command("keygen", "a", "--folder", folder, "--algorithm", "Ed25519").exit_code == 0
    old, new = (json.loads((tmp_path / f / "a.jwks.json").read_text())["keys"][0] for f in ("old", "new"))
    assert command("add", "a", "--name", "A", "--sector", "x", "--jwks", "old/a.jwks.json").exit_code == 0
    assert command("keys", "add", "a", "new/a.jwks.json").exit_code == 0
    listed = command("keys", "list", "a").output
    assert old["kid"] in listed
    assert new["kid"] in listed
    assert command("keys", "remove", "a", old["kid"]).exit_code == 0
    assert old["kid"] not in command("keys", "list", "a").output
    (tmp_path / "one.json").write_text(json.dumps(old))
    assert command("keys", "add", "a", "one.json").exit_code == 0


def test_a_key_file_is_never_overwritten(command: Callable[..., Result], tmp_path: Path) -> None:
    assert command("keygen", "a").exit_code == 0
    before = (tmp_path / "a.private.jwk.json").read_bytes()
    assert isinstance(command("keygen", "a").exception, Conflict)
    assert (tmp_path / "a.private.jwk.json").read_bytes() == before


def test_what_a_command_cannot_use_is_told_by_name(command: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "pem.json").write_text("-----BEGIN PUBLIC KEY-----")
    (tmp_path / "two.json").write_text(
        json.dumps(_jwks(public(make_key("ES256")), public(make_key("ES256"))))
    )
    options = ["--name", "A", "--sector", "x", "--jwks"]
    for arguments, error in (
        (("add", "a", *options, "missing.json"), FileUnusable),
        (("add", "a", *options, "pem.json"), FileUnusable),
        (("keys", "add", "a", "two.json"), BadInput),
        (("keys", "list", "a"), NotFound),
        (("keygen", "a", "--algorithm", "RS256"), BadInput),
        (("keygen", "a", "--folder", "missing"), FileUnusable),
    ):
        assert isinstance(command(*arguments).exception, error), arguments
    assert "No consumer is registered" in command("list").output


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_a_generated_pair_can_be_registered(
    store: ConsumerStore, agency: dict[str, Any], algorithm: str
) -> None:
    private, published = make_key_pair(algorithm)
    store.register(**agency, jwks={"keys": [published]})
    assert list(store.get(agency["id"]).keys) == [private["kid"]]


def test_a_registration_can_be_corrected_and_the_rest_of_it_stays(database: Database) -> None:
    store = ConsumerStore(database)
    _, public = make_key_pair("ES256")
    store.register(id="dinas", name="Dinas", sector="dinas", regions=["35"], jwks={"keys": [public]})
    assert store.change("dinas", regions=["32", "33"]).regions == ("32", "33")
    assert store.change("dinas", name="Dinas Sosial").regions == ("32", "33")
    assert store.get("dinas").consumer.name == "Dinas Sosial"
    with pytest.raises(BadInput, match="region 1"):
        store.change("dinas", regions=["East Java"])
    with pytest.raises(NotFound):
        store.change("nobody", name="x")


def test_a_jurisdiction_that_does_not_exist_is_refused_by_name_of_its_code() -> None:
    with pytest.raises(BadInput, match="99"):
        CliRunner().invoke(app, ["change", "dinas", "--region", "99"], catch_exceptions=False)
