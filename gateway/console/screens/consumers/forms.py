"""The forms about consumers: registration, correction, a new key, what is signed. Nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.given_back import holds_private_key
from gateway.console.language import N_
from gateway.console.visit import Visit

_CONSUMERS = "/admin/v1/consumers"
_FORBIDDEN = 403
_BOUND = "tls_client_certificate_bound_access_tokens"
_REGISTRATION = (
    *("id", "name", "sector", "whole_country", "regions", "office", "email"),
    *("jwks", "sandbox", "binding", "reason"),
)
_CORRECTION = ("name", "sector", "whole_country", "regions", "office", "email", "binding", "reason", "etag")
_KEY = ("jwk", "overlap", "not_before", "not_after", "reason")
_OVERLAP_DAYS = "30"
_PRIVATE = N_(
    "A private key was pasted here: it was not kept, and this field is empty again. Ask the partner for a "
    "new key pair, of which it sends the public key only."
)


async def registration(visit: Visit) -> Response:
    """The empty form of a new consumer."""
    typed = dict.fromkeys(_REGISTRATION, "") | {"whole_country": "no", "binding": "dpop", "sandbox": "yes"}
    return visit.show("consumers/new.html", typed=typed)


async def register(visit: Visit) -> Response:
    """Propose the consumer with its keys."""
    typed = await visit.typed(*_REGISTRATION)
    form = {
        **{name: typed[name] for name in ("id", "name", "sector", "reason")},
        "regions": _regions(typed),
        "contact": {"office": typed["office"], "email": typed["email"]},
        "jwks": _key_set(typed["jwks"]),
        "sandbox": typed["sandbox"] == "yes",
        _BOUND: typed["binding"] == "certificate",
    }
    try:
        made = await visit.post(_CONSUMERS, form)
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        told = problem.told_at_fields()
        typed = _without_private_key(visit, typed, "jwks", told)
        return visit.show("consumers/new.html", typed=typed, problem=told)
    return visit.see(f"/console/consumers/{made['id']}", said="consumer-proposed")


async def correction(visit: Visit) -> Response:
    """The form with what is registered."""
    answer = await visit.ask("GET", f"{_CONSUMERS}/{visit.path('consumer')}")
    present = answer.json
    contact = present["contact"] or {"office": "", "email": ""}
    whole = present["regions"] == "whole_country"
    typed = {
        "name": present["name"],
        "sector": present["sector"],
        **contact,
        "whole_country": "yes" if whole else "no",
        "regions": "" if whole else ", ".join(present["regions"]),
        "binding": "certificate" if present[_BOUND] else "dpop",
        "reason": "",
        "etag": answer.etag.strip('"'),
    }
    return visit.show("consumers/edit.html", consumer=present, typed=typed)


async def correct(visit: Visit) -> Response:
    """Keep what was changed; what was left as it is, is not sent."""
    consumer = visit.path("consumer")
    present = await visit.get(f"{_CONSUMERS}/{consumer}")
    typed = await visit.typed(*_CORRECTION)
    form: dict[str, Any] = {
        "name": typed["name"],
        "sector": typed["sector"],
        "regions": _regions(typed),
        "contact": {"office": typed["office"], "email": typed["email"]},
        _BOUND: typed["binding"] == "certificate",
    }
    none_given = form["contact"] == {"office": "", "email": ""} and present["contact"] is None
    changed = {
        name: value
        for name, value in form.items()
        if value != present[name] and not (name == "contact" and none_given)
    }
    try:
        await visit.ask(
            "PATCH", f"{_CONSUMERS}/{consumer}", changed | {"reason": typed["reason"]}, etag=typed["etag"]
        )
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        told = problem.told_at_fields()
        return visit.show("consumers/edit.html", consumer=present, typed=typed, problem=told)
    return visit.see(f"/console/consumers/{consumer}", said="consumer-changed")


async def new_key(visit: Visit) -> Response:
    """The form of one more key."""
    typed = dict.fromkeys(_KEY, "") | {"overlap": _OVERLAP_DAYS}
    return await _key_form(visit, typed, None)


async def add_key(visit: Visit) -> Response:
    """Propose the key."""
    consumer, typed = visit.path("consumer"), await visit.typed(*_KEY)
    form: dict[str, Any] = {
        "jwk": _one_key(typed["jwk"]),
        "overlap_days": int(typed["overlap"]) if typed["overlap"].isdecimal() else typed["overlap"] or None,
        "not_before": _moment(typed["not_before"]),
        "not_after": _moment(typed["not_after"]),
        "reason": typed["reason"],
    }
    try:
        await visit.post(f"{_CONSUMERS}/{consumer}/keys", form)
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _key_form(visit, _without_private_key(visit, typed, "jwk", problem), problem)
    return visit.see(f"/console/consumers/{consumer}", said="consumer-key-proposed")


async def signatures(visit: Visit) -> Response:
    """The form that says what is signed."""
    present = await visit.get(f"{_CONSUMERS}/{visit.path('consumer')}/signatures")
    return await _signature_form(visit, {"mode": present["mode"], "reason": ""}, None)


async def set_signatures(visit: Visit) -> Response:
    """Have our answers signed, or demand that requests are signed as well."""
    consumer, typed = visit.path("consumer"), await visit.typed("mode", "reason")
    try:
        await visit.ask("PUT", f"{_CONSUMERS}/{consumer}/signatures", typed)
    except ApiProblem as problem:
        if not problem.about_input and problem.status != _FORBIDDEN:
            raise
        return await _signature_form(visit, typed, problem)
    return visit.see(f"/console/consumers/{consumer}", said="consumer-signatures")


async def _key_form(visit: Visit, typed: Mapping[str, str], problem: ApiProblem | None) -> Response:
    consumer = await visit.get(f"{_CONSUMERS}/{visit.path('consumer')}")
    return visit.show("consumers/key.html", consumer=consumer, typed=typed, problem=problem)


async def _signature_form(visit: Visit, typed: Mapping[str, str], problem: ApiProblem | None) -> Response:
    consumer = await visit.get(f"{_CONSUMERS}/{visit.path('consumer')}")
    return visit.show("consumers/signatures.html", consumer=consumer, typed=typed, problem=problem)


def _without_private_key(
    visit: Visit, typed: Mapping[str, str], name: str, problem: ApiProblem
) -> dict[str, str]:
    """What was typed, to be shown again: no private key goes over the wire twice."""
    if not holds_private_key(typed[name]):
        return dict(typed)
    problem.mark(f"/{name}", visit.speech.say(_PRIVATE))
    return {**typed, name: ""}


def _regions(typed: Mapping[str, str]) -> str | list[str]:
    """Codes as typed, with commas or spaces between; the whole country only where it is said so."""
    if typed["whole_country"] == "yes":
        return "whole_country"
    return [code for code in re.split(r"[\s,;]+", typed["regions"]) if code]


def _key_set(text: str) -> Any:
    """The JWK Set that was pasted, or one key as a set; what is no JSON goes as it is, to be refused."""
    read = _json(text)
    return {"keys": [read]} if isinstance(read, dict) and "kty" in read else read


def _one_key(text: str) -> Any:
    """The JWK that was pasted, also out of a set of one."""
    read = _json(text)
    keys = read.get("keys") if isinstance(read, dict) else None
    return keys[0] if isinstance(keys, list) and len(keys) == 1 else read


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _moment(typed: str) -> str | None:
    """A moment as a browser's field gives it, which is Jakarta's; None where it is empty."""
    return f"{typed}:00+07:00" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", typed) else typed or None
