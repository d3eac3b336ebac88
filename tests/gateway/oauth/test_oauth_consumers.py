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
from gateway.oauth.consumers import Consumer, ConsumerStore, Contact, Registration
from gateway.oauth.jose import make_key_pair
from gateway.oauth.registration import Change
from gateway.staff.roles import INSTALLATION
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


def _register(store: ConsumerStore, **said: Any) -> Registration:
    """As the console does it: at once."""
    return store.register(INSTALLATION, **{"jwks": _jwks(), "reason": "a test", **said})


def _jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys) or [public(make_key("ES256"))]}


def test_a_consumer_is_found_as_it_was_registered(store: ConsumerStore, agency: dict[str, Any]) -> None:
    keys = [make_key("ES256", "one"), make_key("Ed25519", "two"), make_key("PS256", "three")]
    contact = Contact("Direktorat Kepesertaan", "integrasi@example.go.id")
    registered = _register(
        store, **agency, regions=("32", "33.01"), jwks=_jwks(*map(public, keys)), contact=contact
    )
    assert registered.consumer == Consumer(agency["id"], "BPJS Kesehatan", "kesehatan", ("32", "33.01"))
    found = store.get(agency["id"])
    assert (found, found.active, found.contact) == (registered, True, contact)
    held = {kid: key.public.thumbprint for kid, key in found.keys.items()}
    assert held == {key.kid: key.thumbprint() for key in keys}


def test_consumers_are_listed_by_id_and_an_unknown_one_is_not_found(
    database: Database, agency: dict[str, Any]
) -> None:
    store = ConsumerStore(database)
    for name in ("b", "a", "c"):
        _register(store, **{**agency, "id": name})
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
        ({"regions": ("35", "99")}, "region 2: 99"),
        ({"contact": Contact("", "integrasi@example.go.id")}, "office"),
        ({"contact": Contact("Direktorat Kepesertaan", "integrasi")}, "email"),
    ],
    ids=str,
)
def test_a_bad_id_name_sector_or_region_is_refused(
    store: ConsumerStore, agency: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=f"- {told}"):
        _register(store, **{**agency, **change})
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
        _register(store, **agency, jwks=jwks)
    assert store.find(agency["id"]) is None


def test_every_problem_is_told_at_once(store: ConsumerStore) -> None:
    jwks = _jwks({"kty": "oct"}, {"kty": "RSA"})
    with pytest.raises(BadInput) as told:
        _register(store, id="A", name="", sector="", regions=("x",), jwks=jwks)
    assert str(told.value).count("\n  - ") == 6


def test_an_id_is_registered_once_even_by_many_at_once(store: ConsumerStore, agency: dict[str, Any]) -> None:
    def register(_: int) -> bool:
        try:
            _register(store, **agency)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(register, range(8))) == 1
    assert len(store.get(agency["id"]).keys) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.approve(INSTALLATION, "nobody", "a test"),
        lambda store: store.refuse(INSTALLATION, "nobody", "a test"),
        lambda store: store.change(INSTALLATION, "nobody", Change(), "a test", name="x"),
        lambda store: store.disable(INSTALLATION, "nobody", "a test"),
        lambda store: store.enable(INSTALLATION, "nobody", "a test"),
        lambda store: store.keys.add(INSTALLATION, "nobody", public(make_key("ES256")), "a test"),
        lambda store: store.keys.approve(INSTALLATION, "nobody", "k", "a test"),
        lambda store: store.keys.remove(INSTALLATION, "nobody", "k", "a test"),
    ],
)
def test_what_concerns_nobody_is_not_found(
    store: ConsumerStore, act: Callable[[ConsumerStore], None]
) -> None:
    with pytest.raises(NotFound):
        act(store)


def test_disabling_and_enabling_may_be_repeated(store: ConsumerStore, agency: dict[str, Any]) -> None:
    _register(store, **agency)
    for change, active in ((store.disable, False), (store.disable, False), (store.enable, True)):
        change(INSTALLATION, agency["id"], "a test")
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
    assert " until " not in command("keys", "list", "a").output
    assert command("keys", "add", "a", "new/a.jwks.json", "--overlap-days", "7").exit_code == 0
    listed = command("keys", "list", "a").output.splitlines()
    assert {line.split()[0]: " until " in line for line in listed} == {old["kid"]: True, new["kid"]: False}
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
    _register(store, **agency, jwks={"keys": [published]})
    assert list(store.get(agency["id"]).keys) == [private["kid"]]


def test_a_registration_can_be_corrected_and_the_rest_of_it_stays(database: Database) -> None:
    store = ConsumerStore(database)
    _register(store, id="dinas", name="Dinas", sector="dinas", regions=["35"])

    def changed(change: Change = Change(), **more: Any) -> Registration:  # noqa: B008 - it never changes
        return store.change(INSTALLATION, "dinas", change, "a test", **more)

    assert changed(Change(regions=("32", "33"))).consumer.regions == ("32", "33")
    assert changed(name="Dinas Sosial").consumer.regions == ("32", "33")
    assert store.get("dinas").consumer.name == "Dinas Sosial"
    assert changed(contact=Contact("Bidang Data", "data@example.go.id")).contact is not None
    assert changed(Change(sandbox=True)).consumer == Consumer(
        "dinas", "Dinas Sosial", "dinas", ("32", "33"), sandbox=True
    )
    with pytest.raises(BadInput, match="region 1"):
        changed(Change(regions=("East Java",)))
    assert store.get("dinas").contact == Contact("Bidang Data", "data@example.go.id")


def test_what_tokens_are_bound_to_is_said_by_a_command(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(_jwks()))
    added = command("add", "a", "--name", "A", "--sector", "x", "--jwks", "a.json", "--certificate-bound")
    assert "bound to its TLS client certificate" in added.output
    assert "certificate" not in command("binding", "a", "dpop").output
    assert "bound to its TLS client certificate" in command("binding", "a", "certificate").output
    (listed,) = json.loads(command("list", "--format", "json").output)
    assert listed["tls_client_certificate_bound_access_tokens"] is True


def test_a_jurisdiction_that_does_not_exist_is_refused_by_name_of_its_code(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(_jwks()))
    assert command("add", "a", "--name", "A", "--sector", "x", "--jwks", "a.json").exit_code == 0
    refused = command("change", "a", "--region", "99").exception
    assert isinstance(refused, BadInput)
    assert "99" in refused.detail


def test_the_console_settles_what_waits_and_shows_it(command: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(_jwks()))
    contact = ("--office", "Bidang Data", "--email", "data@example.go.id")
    add = ("add", "a", "--name", "A", "--sector", "x", "--jwks", "a.json", *contact, "--sandbox")
    assert command(*add).exit_code == 0
    (listed,) = json.loads(command("list", "--format", "json").output)
    assert (listed["sandbox"], listed["state"], listed["approved_by"]) == (True, "active", "installation")
    assert listed["contact"] == {"office": "Bidang Data", "email": "data@example.go.id"}
    assert [key["standing"] for key in listed["keys"]] == ["good"]
    assert "SANDBOX" in command("list").output
    assert "SANDBOX" not in command("sandbox", "a", "off").output
    for arguments, error in (
        (("approve", "a"), Conflict),
        (("refuse", "a"), Conflict),
        (("enable", "a"), Conflict),
        (("disable", "a", "--as", "nobody"), NotFound),
        (("disable", "a", "--reason", " "), BadInput),
        (("change", "a", "--office", "x"), BadInput),
        (("keys", "approve", "a", listed["keys"][0]["kid"]), Conflict),
    ):
        assert isinstance(command(*arguments).exception, error), arguments
