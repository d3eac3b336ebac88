"""Acceptance rules: one person proposes, another confirms, and either may be ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.reconciliations.runs import API, PLACE
from gateway.console.visit import Visit

_RULES = f"{API}/acceptance-rules"
_HERE = f"{PLACE}/rules"
_ACTS = ("approve", "end")


async def rule_list(visit: Visit) -> Response:
    """Every rule there was, and the form for another."""
    return await _page(visit)


async def propose(visit: Visit) -> Response:
    """Propose a rule; it does nothing until somebody else confirms it."""
    typed = await visit.typed("least_probability", "least_agreeing", "reason")
    body = {
        "least_probability": _number(typed["least_probability"], per=100),
        "least_agreeing": _number(typed["least_agreeing"]),
        "reason": typed["reason"],
    }
    try:
        await visit.post(_RULES, body)
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _page(visit, problem, typed)
    return visit.see(_HERE, said="rule-proposed")


async def act_on_rule(visit: Visit) -> Response:
    """Confirm or end a rule."""
    act, typed = visit.path("act"), await visit.typed("reason")
    if act not in _ACTS:
        return visit.show("missing.html", status=404)
    try:
        await visit.post(f"{_RULES}/{visit.path('rule_id')}/{act}", {"reason": typed["reason"]})
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _page(visit, problem, {**typed, "rule": visit.path("rule_id"), "act": act})
    return visit.see(_HERE, said=f"rule-{act}")


async def _page(
    visit: Visit, problem: ApiProblem | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    rules = (await visit.get(_RULES))["rules"]
    return visit.show(
        "reconciliations/rules.html",
        rules=rules,
        problem=problem,
        typed=typed or {},
    )


def _number(word: str, per: int = 1) -> float | int | str:
    """The number that was typed, with a decimal comma or point; the word itself where it is none."""
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        return word
    return int(number) if per == 1 and number.is_integer() else round(number / per, 6)


PAGES: Sequence[Page] = (
    Page("/reconciliations/rules", rule_list),
    Page("/reconciliations/rules", propose, "POST"),
    Page("/reconciliations/rules/{rule_id}/{act}", act_on_rule, "POST"),
)
SAID: Mapping[str, str] = {
    "rule-proposed": N_("The rule is proposed. Somebody else has to confirm it."),
    "rule-approve": N_("The rule is in force from the end of the next run on."),
    "rule-end": N_("The rule has ended: everybody waits for a person to decide again."),
}
