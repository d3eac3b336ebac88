"""A draft filled in: the field matrix, and the terms beside it. What is typed goes to the API and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.named_consumers import suggested
from gateway.console.screens.agreements.address import changed_meanwhile, etag_to_send, policy_of
from gateway.console.screens.agreements.one import shell, untrue_cases
from gateway.console.visit import Visit

RELEASES = ("none", "verdict", "pseudonym", "generalise", "mask", "full")
_LIMITS = ("requests_per_minute", "subjects_per_day", "new_people_per_day")
_PLAIN = (
    *("consumer", "purpose", "valid_from", "valid_until", "subjects_per_request", "pseudonym_sector"),
    *("reasons", "on_source_failure"),
)
_FOUND_AT_ONCE = 12


async def fields(visit: Visit, problem: ApiProblem | None = None) -> Response:
    """The matrix: every field by how it is released, the draft beside what is in force."""
    of = policy_of(visit)
    matrix = await visit.get(f"{of.api_version}/matrix")
    common = await shell(visit, of)
    etag, wrong = matrix["etag"], {}
    if visit.request.method == "POST":
        form = await visit.form()
        choices = list(_choices(form))
        _overlay(matrix, {choice["field"]: choice for choice in choices})
        wrong = {
            one["field"]: problem.at(f"/choices/{at}") if problem else None for at, one in enumerate(choices)
        }
        etag = etag_to_send(problem, str(form.get("etag", "")))
    return visit.show(
        "agreements/fields.html",
        problem=problem,
        conflict=changed_meanwhile(problem),
        matrix=matrix,
        wrong_choices=wrong,
        untrue=await untrue_cases(visit, of),
        releases=RELEASES,
        etag=etag,
        tab="fields",
        **common,
    )


async def save_fields(visit: Visit) -> Response:
    """Write the matrix into the draft."""
    of, form = policy_of(visit), await visit.form()
    body = {"choices": list(_choices(form)), "reason": str(form.get("reason", "")).strip()}
    try:
        await visit.ask("PUT", f"{of.api_version}/matrix", body, etag=str(form.get("etag", "")))
    except ApiProblem as problem:
        if problem.about_input:
            return await fields(visit, problem)
        raise
    return visit.see(f"{of.version}/fields", said="draft-saved")


async def terms(visit: Visit, problem: ApiProblem | None = None) -> Response:
    """The terms beside the fields: parties, legal bases, papers, validity, scope, limits."""
    of = policy_of(visit)
    shown = await visit.get(f"{of.api_version}/terms")
    common = await shell(visit, of)
    search, etag = "", shown["etag"]
    if visit.request.method == "POST":
        form = await visit.form()
        search = str(form.get("region_search", "")).strip()
        shown = {**shown, **await _typed_terms(visit, form, shown)}
        etag = etag_to_send(problem, str(form.get("etag", "")))
    found = await visit.get("/admin/v1/regions", search=search, limit=_FOUND_AT_ONCE) if search else None
    return visit.show(
        "agreements/terms.html",
        problem=problem,
        conflict=changed_meanwhile(problem),
        terms=shown,
        region_search=search,
        regions_found=found["regions"] if found else None,
        suggested=await suggested(visit, visit.asked("consumer") or shown["consumer"] or ""),
        etag=etag,
        tab="terms",
        **common,
    )


async def save_terms(visit: Visit) -> Response:
    """Write the terms into the draft; or look for regions, with everything typed so far kept."""
    of, form = policy_of(visit), await visit.form()
    if "find_regions" in form:
        return await terms(visit)
    try:
        await visit.ask("PUT", f"{of.api_version}/terms", terms_typed(form), etag=str(form.get("etag", "")))
    except ApiProblem as problem:
        if problem.about_input:
            return await terms(visit, problem)
        raise
    warned = (await visit.get(f"{of.api_version}/terms"))["warnings"]
    return visit.see(f"{of.version}/terms", said="" if warned else "draft-saved")


def terms_typed(form: FormData) -> dict[str, Any]:
    """What the form of terms says, as the API takes it."""
    body: dict[str, Any] = {name: _said(form, name) for name in _PLAIN}
    body["title"] = {"id": _said(form, "title_id"), "en": _said(form, "title_en")}
    body["legal_basis"] = _lines(form, "legal_basis")
    body["documents"] = {
        name.removeprefix("document_"): str(value).strip()
        for name, value in form.multi_items()
        if name.startswith("document_")
    }
    body["operations"] = _several(form, "operations")
    body["programmes"] = _several(form, "programmes") if "eligibility" in body["operations"] else []
    body["regions"] = "everywhere" if form.get("where") == "everywhere" else _several(form, "regions")
    body["enrolled_in"] = "anyone" if form.get("who") == "anyone" else _several(form, "enrolled_in")
    body["limits"] = {name: _said(form, name) for name in _LIMITS}
    body["last_known_max_age_days"] = _said(form, "last_known_max_age_days") or "none"
    body["pseudonym_sector"] = body["pseudonym_sector"] or "none"
    body["reason"] = _said(form, "reason")
    return body


def _choices(form: FormData) -> Iterator[dict[str, Any]]:
    """The choices of the matrix, one for each field of which a release is chosen."""
    for key, value in form.multi_items():
        if not key.startswith("r-"):
            continue
        name, release = key[2:], str(value)
        choice: dict[str, Any] = {"field": name, "release": release}
        if release == "generalise":
            to = _said(form, f"to-{name}")
            choice |= {"to": to or None, "ranges": _ranges(_said(form, f"ranges-{name}"))}
            choice["years"] = _said(form, f"years-{name}") or None if to == "age_band" else None
        elif release == "mask":
            choice["show_first"] = _said(form, f"shown-{name}") or None
        if f"basis-{name}" in form:
            choice["basis"] = _said(form, f"basis-{name}") if release != "none" else ""
        yield choice


def _overlay(matrix: Mapping[str, Any], choices: Mapping[str, Mapping[str, Any]]) -> None:
    """Show what was typed in place of what is kept."""
    for group in matrix["groups"]:
        for row in group["fields"]:
            choice = choices.get(row["field"])
            if choice is not None:
                blank = {"to": None, "years": None, "show_first": None, "ranges": None, "words": None}
                row["chosen"] = blank | dict(choice)
                row["basis"] = choice.get("basis") or None


async def _typed_terms(visit: Visit, form: FormData, kept: Mapping[str, Any]) -> dict[str, Any]:
    typed = terms_typed(form)
    everywhere, anyone = typed["regions"] == "everywhere", typed["enrolled_in"] == "anyone"
    codes = [] if everywhere else typed["regions"]
    names = {one["code"]: one for one in kept["regions"]}
    unknown = {"name": None, "path": None}
    return {
        **typed,
        "everywhere": everywhere,
        "regions": [
            names.get(code) or await _named(visit, code) or {"code": code, **unknown} for code in codes
        ],
        "anyone": anyone,
        "enrolled_in": [] if anyone else typed["enrolled_in"],
        "documents": [{**one, "number": typed["documents"].get(one["kind"])} for one in kept["documents"]],
        "last_known_max_age_days": _said(form, "last_known_max_age_days"),
    }


async def _named(visit: Visit, code: str) -> dict[str, Any] | None:
    found = await visit.get("/admin/v1/regions", search=code, limit=1)
    return next((one for one in found["regions"] if one["code"] == code), None)


def _said(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()


def _several(form: FormData, name: str) -> list[str]:
    """The values of a field that may stand in a form more than once, each once."""
    said = [one.strip() for value in form.getlist(name) for one in str(value).replace(",", " ").split()]
    return list(dict.fromkeys(filter(None, said)))


def _lines(form: FormData, name: str) -> list[str]:
    return [line.strip() for line in str(form.get(name, "")).splitlines() if line.strip()]


def _ranges(said: str) -> list[str] | None:
    return [one for one in said.replace(",", " ").split() if one] or None
