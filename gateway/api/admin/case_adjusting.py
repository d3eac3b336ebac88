"""`.../versions/{n}/cases/adjust`: the cases that a draft makes untrue, and the chosen ones written anew.

Each is told in both languages as it would be read aloud. Nothing is adjusted that is not named.
"""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.case_adjusting import Standing, State, Untrue, adjusted
from gateway.agreements.lifecycle import Version
from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.admin.policy_forms import IfMatch, Name, Number, PolicyVersion, etag_of
from gateway.api.exchanges import BothLanguages
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.cases import Outcome
from policies.dictionary import Field as DictionaryField

_PATH = "/admin/v1/policies/agreement/{name}/versions/{number}/cases/adjust"
Answered = Callable[[Response, Version, Staff], PolicyVersion]


class StandingOut(BaseModel):
    """What becomes of a field: it leaves with a `value`, is withheld for a `code`, or does not leave."""

    state: State
    value: str | list[str] | None
    code: str | None


class FieldDiffersOut(BaseModel):
    """A field of which the case says another thing than would come out."""

    field: str
    label: BothLanguages | None
    says: StandingOut
    comes: StandingOut


class ClauseDiffersOut(BaseModel):
    """A clause of the programme's rule; null where it is not told."""

    clause: str
    says: str | None
    comes: str | None


class AnswerOut(BaseModel):
    """The answer as a whole: refused with a code, nobody because out of scope, or given."""

    denied: str | None
    out_of_scope: bool
    decision: str | None


class UntrueCase(BaseModel):
    """A case that holds under what is in force, and not with this version."""

    number: int = Field(description="Its place in the cases file, from 1.")
    title: BothLanguages
    answer_differs: bool = Field(description="Whether one side is refused or finds nobody.")
    decision_differs: bool
    says: AnswerOut
    comes: AnswerOut
    fields: list[FieldDiffersOut]
    clauses: list[ClauseDiffersOut]


class UntrueCases(BaseModel):
    """The cases that this version alone makes untrue, and the state for which that is so."""

    etag: str
    cases: list[UntrueCase]


class CasesToAdjust(BaseModel):
    """Numbers of cases that were read, and are to say what would come out."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra={"examples": [{"cases": [1, 4]}]}
    )

    cases: Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(max_length=1000)]
    reason: Annotated[str, Field(max_length=500, description="Why, for the audit log. Names no person.")] = ""


def add_case_adjusting_routes(
    router: APIRouter, store: PolicyStore, check: StaffCheck, answer: Answered
) -> None:
    """Add the routes by which cases follow a draft. They block, so FastAPI runs them in threads."""

    @router.get(_PATH, responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_untrue_cases(
        name: Name, number: Number, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> UntrueCases:
        """The cases that hold under what is in force and not with this version, and what would come out."""
        version = store.get("agreement", name, number)
        untrue = store.untrue_cases(version)
        dictionary = store.book_of(name).dictionary if untrue else {}
        return UntrueCases(etag=version.etag, cases=[_case(one, dictionary) for one in untrue])

    @router.post(
        _PATH,
        responses=problems(400, 401, 403, 404, 409, 415, 422, 428),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} The other cases stay, with comments and order.",
    )
    def adjust_cases(
        name: Name,
        number: Number,
        form: CasesToAdjust,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("author"))],
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        """Let the named cases of a draft say what comes out with it. You become one of its editors."""
        seen, present = etag_of(if_match), store.get("agreement", name, number)
        # Whoever has seen another state has read other cases: the store says so, and nothing is worked out.
        cases = present.cases
        if seen == present.etag:
            cases = adjusted(present.cases, store.untrue_cases(present), form.cases)
        kept = store.edit(
            *("agreement", name, number, present.text, cases, staff), if_match=seen, reason=form.reason
        )
        return answer(response, kept, staff)


def _case(one: Untrue, dictionary: Mapping[str, DictionaryField]) -> UntrueCase:
    return UntrueCase(
        number=one.number,
        title=BothLanguages(id=one.case.title.id, en=one.case.title.en),
        answer_differs=one.about_the_answer,
        decision_differs="decision" in one.aspects,
        says=_answer(one.case.expected),
        comes=_answer(one.comes),
        fields=[
            FieldDiffersOut(
                field=differs.field,
                label=_label(dictionary.get(differs.field)),
                says=_standing(differs.says),
                comes=_standing(differs.comes),
            )
            for differs in one.fields
        ],
        clauses=[
            ClauseDiffersOut(clause=clause, says=says, comes=comes)
            for clause, (says, comes) in one.clauses.items()
        ],
    )


def _answer(of: Outcome) -> AnswerOut:
    return AnswerOut(denied=of.denied, out_of_scope=of.out_of_scope, decision=of.decision)


def _standing(standing: Standing) -> StandingOut:
    what = standing.what
    code = what if standing.state == "withheld" and isinstance(what, str) else None
    return StandingOut(state=standing.state, value=what if standing.state == "value" else None, code=code)


def _label(field: DictionaryField | None) -> BothLanguages | None:
    return None if field is None else BothLanguages(id=field.label.id, en=field.label.en)
