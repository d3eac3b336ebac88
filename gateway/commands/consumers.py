"""`gapura consumers`: let agencies in, switch them off and on, and exchange their keys.

What is done here needs no second person (see `gateway.oauth.consumers`); the audit log says that it was done
here, and as whom with `--as`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway.commands import signatures
from gateway.commands.opening import opened_database
from gateway.errors import BadInput, Conflict, FileUnusable
from gateway.oauth.consumer_keys import LONGEST_OVERLAP_DAYS, OVERLAP_DAYS
from gateway.oauth.consumers import ConsumerStore, Contact, Registration, utc_now
from gateway.oauth.jose import make_key_pair
from gateway.oauth.registration import Change, RegisteredKey
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff

app = typer.Typer(help="Agencies that may call the gateway, and their public keys.", no_args_is_help=True)
keys_app = typer.Typer(help="The public keys of one consumer.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
signatures.add_to(app)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The consumer's id.", show_default=False)]
_JwkFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A public JWK, or a JWK Set with one key.", show_default=False)
]


_Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's id.", show_default=False)]
_Region = Annotated[
    list[str] | None, typer.Option(help="Kemendagri code of its jurisdiction; repeatable; replaces all.")
]
_Office = Annotated[str | None, typer.Option(help="Contact: the office, such as Direktorat Kepesertaan.")]
_Email = Annotated[str | None, typer.Option(help="Contact: the address of a function, of no private person.")]
_As = Annotated[
    str | None, typer.Option("--as", help="The staff account as whom you act; none means the installation.")
]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]
_Format = Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")]
_ON_THE_CONSOLE = "on the console"
_MOMENT = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@contextmanager
def _store() -> Iterator[ConsumerStore]:
    with opened_database() as database:
        yield ConsumerStore(database)


@contextmanager
def _acting(acting_as: str | None) -> Iterator[tuple[ConsumerStore, Staff]]:
    with opened_database() as database:
        actor = INSTALLATION
        if acting_as is not None:
            actor = StaffAccounts(database, utc_now, record_in_audit_log).on_console(acting_as)
        yield ConsumerStore(database), actor


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
    office: _Office = None,
    email: _Email = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Answer it from synthetic people only.")] = False,
    certificate_bound: Annotated[
        bool,
        typer.Option("--certificate-bound", help="Its tokens are bound to its TLS certificate, not to DPoP."),
    ] = False,
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Register a consumer. It may call at once; what it may see is for its agreements to say."""
    keys, contact = _read_json(jwks), _contact(office, email)
    with _acting(acting_as) as (store, actor):
        registered = store.register(
            actor,
            id=consumer_id,
            name=name,
            sector=sector,
            jwks=keys,
            reason=reason,
            regions=tuple(region or ()),
            contact=contact,
            sandbox=sandbox,
            certificate_bound=certificate_bound,
        )
    print(f"{consumer_id} is registered.")
    _print_consumer(registered)


@app.command()
def change(
    consumer_id: _Id,
    name: Annotated[str | None, typer.Option(help="The agency's name, for people.")] = None,
    sector: Annotated[
        str | None, typer.Option(help="Whose pseudonyms it gets; another sector renames everybody for it.")
    ] = None,
    region: _Region = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="The whole country.")] = False,
    office: _Office = None,
    email: _Email = None,
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Correct a registration. What is not given stays; the change counts at the next request."""
    if region and everywhere:
        raise BadInput("--region and --everywhere contradict each other: give one of them.")
    wanted = Change(sector=sector, regions=() if everywhere else tuple(region) if region else None)
    contact = _contact(office, email)
    with _acting(acting_as) as (store, actor):
        _print_consumer(store.change(actor, consumer_id, wanted, reason, name=name, contact=contact))


@app.command()
def sandbox(
    consumer_id: _Id,
    setting: Annotated[
        Literal["on", "off"],
        typer.Argument(help="on: answers from synthetic people only. off: from real people."),
    ],
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Put a consumer into the sandbox, where a real person looks like nobody, or take it out."""
    with _acting(acting_as) as (store, actor):
        _print_consumer(store.change(actor, consumer_id, Change(sandbox=setting == "on"), reason))


@app.command()
def binding(
    consumer_id: _Id,
    setting: Annotated[
        Literal["dpop", "certificate"],
        typer.Argument(help="dpop: a proof for each request. certificate: that of its TLS connection."),
    ],
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Say what a consumer's tokens are bound to. Tokens that are bound otherwise are refused at once."""
    with _acting(acting_as) as (store, actor):
        change = Change(certificate_bound=setting == "certificate")
        _print_consumer(store.change(actor, consumer_id, change, reason))


@app.command("list")
def list_consumers(output: _Format = "text") -> None:
    """Show every consumer, disabled ones and those that await approval too."""
    with _store() as store:
        registrations = store.list()
    if output == "json":
        print(json.dumps([_as_json(registration) for registration in registrations], indent=2))
        return
    if not registrations:
        print("No consumer is registered. `gapura consumers add --help` says how.")
    for registration in registrations:
        _print_consumer(registration)


@app.command()
def approve(consumer_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Let in a consumer that was proposed, or let the change count that waits."""
    _do(lambda store, actor: store.approve(actor, consumer_id, reason), acting_as)


@app.command()
def refuse(consumer_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """End what waits for approval: a proposed consumer is disabled, a proposed change dropped."""
    _do(lambda store, actor: store.refuse(actor, consumer_id, reason), acting_as)


@app.command()
def disable(consumer_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Refuse a consumer and every token it holds, at once, on every worker."""
    with _acting(acting_as) as (store, actor):
        store.disable(actor, consumer_id, reason)
    print(f"{consumer_id} is disabled: it gets no token, and those that it has are refused.")


@app.command()
def enable(consumer_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Let a disabled consumer call again; one that was never approved awaits approval again."""
    with _acting(acting_as) as (store, actor):
        enabled = store.enable(actor, consumer_id, reason)
    if enabled.active:
        print(f"{consumer_id} is enabled. Tokens issued before, if not yet expired, are good again.")
    else:
        print(f"{consumer_id} awaits approval: `gapura consumers approve {consumer_id}`.")


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
def add_key(
    consumer_id: _Id,
    file: _JwkFile,
    overlap_days: Annotated[
        int, typer.Option(min=0, max=LONGEST_OVERLAP_DAYS, help="Days until the other keys end.")
    ] = OVERLAP_DAYS,
    keep_others: Annotated[bool, typer.Option("--keep-others", help="The other keys do not end.")] = False,
    not_before: Annotated[
        datetime | None, typer.Option(formats=_MOMENT, help="When it begins, UTC; left out, now.")
    ] = None,
    not_after: Annotated[
        datetime | None, typer.Option(formats=_MOMENT, help="When it ends, UTC; left out, never.")
    ] = None,
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Accept one more public key, and tell when the others end: a rotation in one step."""
    content = _read_json(file)
    entries = content.get("keys") if isinstance(content, dict) else None
    if isinstance(entries, list) and len(entries) != 1:
        raise BadInput(f"{file} holds {len(entries)} keys; expected one: add them one by one.")
    with _acting(acting_as) as (store, actor):
        changed = store.keys.add(
            actor,
            consumer_id,
            entries[0] if isinstance(entries, list) else content,
            reason,
            overlap_days=None if keep_others else overlap_days,
            not_before=not_before.replace(tzinfo=UTC) if not_before else None,
            not_after=not_after.replace(tzinfo=UTC) if not_after else None,
        )
    _print_keys(changed)


@keys_app.command("approve")
def approve_key(
    consumer_id: _Id, kid: _Kid, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE
) -> None:
    """Accept a key that was proposed; the others end as it announced."""
    with _acting(acting_as) as (store, actor):
        _print_keys(store.keys.approve(actor, consumer_id, kid, reason))


@keys_app.command("remove")
def remove_key(consumer_id: _Id, kid: _Kid, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Accept a key no more, at once: when it is lost, or before the day on which it ends."""
    with _acting(acting_as) as (store, actor):
        store.keys.remove(actor, consumer_id, kid, reason)
    print(f"{consumer_id} may no longer use the key {kid}.")


@keys_app.command("list")
def list_keys(consumer_id: _Id) -> None:
    """Show a consumer's public keys, and from when until when each is accepted."""
    with _store() as store:
        _print_keys(store.get(consumer_id))


def _do(act: Callable[[ConsumerStore, Staff], Registration], acting_as: str | None) -> None:
    with _acting(acting_as) as (store, actor):
        _print_consumer(act(store, actor))


def _contact(office: str | None, email: str | None) -> Contact | None:
    if (office is None) != (email is None):
        raise BadInput("--office and --email: expected both, or neither.")
    return Contact(office, email) if office is not None and email is not None else None


def _print_consumer(registration: Registration) -> None:
    consumer, contact = registration.consumer, registration.contact
    states = {"active": "active", "disabled": "DISABLED", "proposed": "AWAITS APPROVAL"}
    print(f"{consumer.id}  {states[registration.state]}  {consumer.name}{'  SANDBOX' * consumer.sandbox}")
    print(f"    sector {consumer.sector}; regions {', '.join(consumer.regions) or 'the whole country'}")
    if consumer.certificate_bound:
        print("    tokens bound to its TLS client certificate")
    if contact:
        print(f"    contact {contact.office}, {contact.email}")
    print(
        f"    keys {', '.join(registration.keys)}; registered {registration.registered_at:%Y-%m-%d %H:%M} UTC"
    )
    if registration.proposers:
        parts = ", ".join(registration.waiting.parts) or "the consumer itself"
        by = ", ".join(sorted(registration.proposers))
        print(f"    waits for a second person: {parts} (proposed by {by})")


def _print_keys(registration: Registration) -> None:
    now = utc_now()
    for kid, key in registration.keys.items():
        algorithms = "/".join(sorted(key.public.algorithms))
        print(f"{kid}  {algorithms}  thumbprint {key.public.thumbprint}  {_when(key, now)}")


def _when(key: RegisteredKey, now: datetime) -> str:
    standing = key.standing(now).replace("_", " ")
    begins = f" from {key.not_before:%Y-%m-%d %H:%M} UTC" if key.standing(now) == "not_yet_good" else ""
    ends = f" until {key.not_after:%Y-%m-%d %H:%M} UTC" if key.not_after else ""
    return standing + begins + ends


def _as_json(registration: Registration) -> dict[str, object]:
    consumer, contact, now = registration.consumer, registration.contact, utc_now()
    return {
        "id": consumer.id,
        "name": consumer.name,
        "sector": consumer.sector,
        "regions": list(consumer.regions),
        "sandbox": consumer.sandbox,
        "tls_client_certificate_bound_access_tokens": consumer.certificate_bound,
        "state": registration.state,
        "contact": {"office": contact.office, "email": contact.email} if contact else None,
        "waiting": dict(registration.waiting.parts),
        "proposed_by": sorted(registration.proposers),
        "approved_by": registration.approved_by,
        "registered_at": registration.registered_at.isoformat(),
        "keys": [
            {
                "kid": key.kid,
                "thumbprint": key.public.thumbprint,
                "standing": key.standing(now),
                "not_before": key.not_before.isoformat(),
                "not_after": key.not_after.isoformat() if key.not_after else None,
            }
            for key in registration.keys.values()
        ],
    }


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
