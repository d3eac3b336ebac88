"""One policy with its versions and history; one version, what it changes, and what may be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screens.agreements.address import Policy, changed_meanwhile, etag_to_send, policy_of
from gateway.console.visit import Visit

_PROBLEM = re.compile(r"(?P<file>[^:]*):(?P<line>[0-9]+): (?P<what>.*)", re.DOTALL)
_TAKES_BACK = {"revoke", "suspend", "discard"}


async def policy(visit: Visit) -> Response:
    """One policy: what it says in words, its versions, and everything that was done with it."""
    of = policy_of(visit)
    detail = await visit.get(of.api)
    speaks = of.of(detail["in_force"] or detail["open_version"] or detail["newest"])
    said = await in_words(visit, speaks)
    return visit.show(f"{_folder(of)}/one.html", of=of, detail=detail, speaks=speaks, **said)


async def compare(visit: Visit) -> Response:
    """What one version opens and closes compared with another, in words and line by line."""
    of = policy_of(visit)
    detail = await visit.get(of.api)
    numbers = [version["version"] for version in detail["versions"]]
    base, to = (_number(visit.asked(name), numbers, at) for name, at in (("from", 1), ("to", 0)))
    difference = await visit.get(f"{of.api}/diff", **{"from": base, "to": to})
    return visit.show(
        "agreements/compare.html", of=of, detail=detail, base=base, to=to, difference=difference
    )


async def version(
    visit: Visit, problem: ApiProblem | None = None, act: str = "", reason: str = ""
) -> Response:
    """One version: what it would change, what stands in its way, and the acts that are possible."""
    of = policy_of(visit)
    shown = await visit.get(of.api_version)
    return visit.show(
        f"{_folder(of)}/version.html",
        problem=problem,
        conflict=changed_meanwhile(problem),
        failed_act=act,
        reason=reason,
        tab="",
        takes_back=_TAKES_BACK,
        untrue=await untrue_cases(visit, of),
        restorable=await _restorable(visit, of, shown),
        **(await in_words(visit, of) if of.kind == "programme" else {}),
        **await _shell(visit, of, shown),
    )


async def do_act(visit: Visit) -> Response:
    """Do one act with a version, as it was seen."""
    of, act = policy_of(visit), visit.path("act")
    typed = await visit.typed("etag", "reason")
    try:
        await visit.ask(
            "POST", f"{of.api_version}/acts/{act}", {"reason": typed["reason"]}, etag=typed["etag"]
        )
    except ApiProblem as problem:
        if problem.about_input:
            return await version(visit, problem, act, typed["reason"])
        raise
    return visit.see(of.version, said=f"did-{act}")


async def adjust_cases(visit: Visit) -> Response:
    """Let the cases that were chosen say what the draft does."""
    of, form = policy_of(visit), await visit.form()
    chosen = [str(one) for one in form.getlist("cases")]
    if not chosen:
        return visit.see(of.version, said="no-case-chosen")
    try:
        await visit.ask(
            "POST", f"{of.api_version}/cases/adjust", {"cases": chosen}, etag=str(form.get("etag", ""))
        )
    except ApiProblem as problem:
        if problem.about_input:
            return await version(visit, problem)
        raise
    return visit.see(of.version, said="cases-adjusted")


async def untrue_cases(visit: Visit, of: Policy) -> Any:
    """The cases that an agreement's version alone makes untrue; None where there are none to be told."""
    if of.kind != "agreement":
        return None
    return await visit.get(f"{of.api_version}/cases/adjust")


async def begin_version(visit: Visit) -> Response:
    """Begin a draft from a version: to change what is in force, or to restore what was."""
    of = policy_of(visit)
    typed = await visit.typed("number", "reason")
    copied = {"name": of.name, "version": typed["number"]}
    made = await visit.post(f"{of.api}/begin", {"copy_of": copied, "reason": typed["reason"]})
    return visit.see(of.of(made["version"]).version, said="draft-begun")


async def text(visit: Visit, problem: ApiProblem | None = None) -> Response:
    """The texts of a version as they are kept, with what is wrong with them by line."""
    of = policy_of(visit)
    shown = await visit.get(of.api_version)
    typed = {"text": shown["text"], "cases": shown["cases"], "reason": "", "etag": shown["etag"]}
    if visit.request.method == "POST":
        form = await visit.form()
        typed = {name: str(form.get(name, "")) for name in typed}
        typed["etag"] = etag_to_send(problem, typed["etag"])
    return visit.show(
        "agreements/text.html",
        problem=problem,
        conflict=changed_meanwhile(problem),
        typed=typed,
        tab="text",
        **await _shell(visit, of, shown),
    )


async def save_text(visit: Visit) -> Response:
    """Keep the texts as they were typed, byte for byte but for the line ends of browsers."""
    of, form = policy_of(visit), await visit.form()
    body = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in ("text", "cases")}
    body["reason"] = str(form.get("reason", ""))
    try:
        await visit.ask("PUT", of.api_version, body, etag=str(form.get("etag", "")))
    except ApiProblem as problem:
        if problem.about_input:
            return await text(visit, problem)
        raise
    return visit.see(f"{of.version}/text", said="draft-saved")


async def in_words(visit: Visit, of: Policy) -> dict[str, Any]:
    """What a version says, for people; of a rule that cannot be read only why."""
    if of.kind == "agreement":
        return {
            "matrix": await visit.get(f"{of.api_version}/matrix"),
            "terms": await visit.get(f"{of.api_version}/terms"),
        }
    try:
        return {"rule": await visit.get(f"{of.api_version}/rule"), "unreadable": None}
    except ApiProblem as problem:
        if problem.code != "does_not_load":
            raise
        return {"rule": None, "unreadable": problem}


async def _shell(visit: Visit, of: Policy, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What every page of a version has at hand."""
    author = visit.holds("author")
    return {
        "of": of,
        "version": shown,
        "detail": await visit.get(of.api),
        "editable": shown["state"] == "draft" and author,
        "problems_by_line": list(problems_by_line(shown["problems"], shown["text"], shown["cases"])),
    }


async def shell(visit: Visit, of: Policy) -> dict[str, Any]:
    """What every page of a version has at hand, the version itself among it."""
    return await _shell(visit, of, await visit.get(of.api_version))


def problems_by_line(problems: Sequence[str], written: str, cases: str) -> Iterator[dict[str, Any]]:
    """Each problem with its line, and what stands there."""
    lines, case_lines = written.splitlines(), cases.splitlines()
    for problem in problems:
        found = _PROBLEM.fullmatch(problem)
        if found is None:
            yield {"file": "", "line": None, "what": problem, "stands": ""}
            continue
        number, of_cases = int(found["line"]), found["file"].endswith(".cases.yaml")
        among = case_lines if of_cases else lines
        stands = among[number - 1] if 0 < number <= len(among) else ""
        yield {
            "file": found["file"],
            "line": number,
            "what": found["what"],
            "stands": stands,
            "cases": of_cases,
        }


async def _restorable(visit: Visit, of: Policy, shown: Mapping[str, Any]) -> bool:
    """Whether a draft could be begun from this version: by an author, while nothing else is being made."""
    if shown["state"] in {"draft", "submitted", "approved"} or not visit.holds("author"):
        return False
    return (await visit.get(of.api))["open_version"] is None


def _number(asked: str, numbers: Sequence[int], at: int) -> int:
    if asked.isdecimal() and int(asked) in numbers:
        return int(asked)
    return numbers[min(at, len(numbers) - 1)]


def _folder(of: Policy) -> str:
    return "agreements" if of.kind == "agreement" else "programmes"
