"""A version tried before it counts: on one person, before and after; and on the questions of the last days.

Whom it is tried on comes in a form and goes into no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screens.agreements.address import Policy, policy_of
from gateway.console.screens.agreements.one import in_words, shell
from gateway.console.visit import Visit

DAYS = (7, 30)
_ASKED = ("who", "persona", "nik", "operation", "programme", "on_date", "claims", "reason", "under")


async def preview(visit: Visit, problem: ApiProblem | None = None, result: Any = None) -> Response:
    """One person, one question: under this version, and under what is in force."""
    of = policy_of(visit)
    personas = (await visit.get("/admin/v1/personas"))["personas"]
    return visit.show(
        f"{_folder(of)}/preview.html",
        problem=problem,
        result=result,
        compared=_compared(result) if result else (),
        personas=personas,
        may_see_real=visit.holds("auditor", "approver"),
        tab="preview",
        **await _asked_before(visit, of),
        **await shell(visit, of),
    )


async def try_on_person(visit: Visit) -> Response:
    """Try the version on whoever the form names."""
    of, form = policy_of(visit), await visit.form()
    try:
        result = await visit.post(f"{of.api_version}/preview", await _question(visit, of, form))
    except ApiProblem as problem:
        if problem.about_input:
            return await preview(visit, problem)
        raise
    return await preview(visit, result=result)


async def save_case(visit: Visit) -> Response:
    """Put what was tried into the draft's cases."""
    of, form = policy_of(visit), await visit.form()
    case = str(form.get("case", "")).replace("\r\n", "\n")
    body = {"case": case, "reason": str(form.get("reason", "")).strip()}
    try:
        await visit.ask("POST", f"{of.api_version}/cases", body, etag=str(form.get("etag", "")))
    except ApiProblem as problem:
        if problem.about_input:
            return await preview(visit, problem)
        raise
    return visit.see(f"{of.version}/preview", said="case-saved")


async def impact(
    visit: Visit, days: int = DAYS[-1], result: Any = None, problem: ApiProblem | None = None
) -> Response:
    """What the version would have changed for the questions of the last days."""
    of = policy_of(visit)
    return visit.show(
        "agreements/impact.html",
        problem=problem,
        result=result,
        days=days,
        choices=DAYS,
        tab="impact",
        **await shell(visit, of),
    )


async def replay(visit: Visit) -> Response:
    """Decide the questions of the last days anew."""
    of = policy_of(visit)
    typed = (await visit.typed("days"))["days"]
    days = int(typed) if typed in {str(day) for day in DAYS} else DAYS[-1]
    try:
        result = await visit.post(f"{of.api_version}/impact", days=days)
    except ApiProblem as problem:
        if problem.about_input:
            return await impact(visit, days, problem=problem)
        raise
    return await impact(visit, days, result)


async def _asked_before(visit: Visit, of: Policy) -> dict[str, Any]:
    """What the form holds: what was typed, or what the version itself suggests."""
    typed = await visit.typed(*_ASKED) if visit.request.method == "POST" else dict.fromkeys(_ASKED, "")
    if of.kind == "agreement":
        terms = await visit.get(f"{of.api_version}/terms")
        typed["operation"] = typed["operation"] or next(iter(terms["operations"]), "")
        return {"asked": typed, "terms": terms}
    return {"asked": typed, "rule": (await in_words(visit, of))["rule"]}


async def _question(visit: Visit, of: Policy, form: FormData) -> dict[str, Any]:
    typed = await visit.typed(*_ASKED)
    real = typed["who"] == "nik"
    body: dict[str, Any] = {
        "nik" if real else "persona": typed["nik" if real else "persona"],
        "operation": typed["operation"] or "eligibility",
        "programme": typed["programme"] or None,
        "on_date": typed["on_date"] or None,
        "reason": typed["reason"] if real else "",
        "ask_sources": "ask_sources" in form,
        "claims": _claims(typed["claims"]),
    }
    if body["operation"] != "eligibility":
        body["programme"] = None
    if of.kind == "programme":
        under = typed["under"].partition("/")
        body |= {"consumer": under[0] or None, "purpose": under[2] or None}
    return body


def _claims(typed: str) -> dict[str, str]:
    """What the consumer would say of the person, one `field = value` on a line."""
    pairs = (line.partition("=") for line in typed.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip() and value.strip()}


def _compared(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each field with what becomes of it on both sides, those that differ first."""
    before, after = ({one["field"]: one for one in result[side]["fields"]} for side in ("before", "after"))
    rows = [
        {
            "field": name,
            "label": (after.get(name) or before[name])["label"],
            "before": before.get(name),
            "after": after.get(name),
            "differs": _leaving(before.get(name)) != _leaving(after.get(name)),
        }
        for name in dict.fromkeys([*after, *before])
    ]
    return sorted(rows, key=lambda row: not row["differs"])


def _leaving(told: Mapping[str, Any] | None) -> Any:
    return None if told is None else [told[name] for name in ("state", "released_as", "value", "code")]


def _folder(of: Policy) -> str:
    return "agreements" if of.kind == "agreement" else "programmes"
