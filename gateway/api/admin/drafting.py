"""`.../versions/{n}/matrix` and `/terms`: a draft filled in without writing YAML, and how a draft begins.

What is filled in is written into the draft's text, which stays what counts; each answer is the version with
its problems, as for whoever edits the text by hand.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from gateway.agreements import beginning, matrix, terms
from gateway.agreements.lifecycle import IN_FORCE, Kind, Version
from gateway.agreements.reading import DICTIONARY_NAME
from gateway.agreements.rewriting import Place, rewritten
from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.admin.drafting_forms import (
    Beginning,
    MatrixForm,
    MatrixOut,
    TermsForm,
    TermsOut,
    choices_of,
    matrix_out,
    terms_out,
)
from gateway.api.admin.policy_forms import IfMatch, Name, Number, PolicyVersion, etag_of
from gateway.api.admin.regions import named_region
from gateway.errors import BadInput
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.agreement import DOCUMENT_KINDS, Agreement
from policies.dictionary import Text

_ONE = "/admin/v1/policies/{kind}/{name}"
_VERSION = "/admin/v1/policies/agreement/{name}/versions/{number}"
_CHANGES = problems(400, 401, 403, 404, 409, 415, 422, 428)
_WRITTEN = "What the text says else stays, with its comments and order."
# Gives a version as staff see it, with its ETag.
Answered = Callable[[Response, Version, Staff], PolicyVersion]


def add_drafting_routes(router: APIRouter, store: PolicyStore, check: StaffCheck, answer: Answered) -> None:
    """Add the routes by which a draft is begun and filled in. They block, so FastAPI runs them in threads."""
    _begin_route(router, store, check, answer)
    _matrix_routes(router, store, check, answer)
    _terms_routes(router, store, check, answer)


def _begin_route(router: APIRouter, store: PolicyStore, check: StaffCheck, answer: Answered) -> None:
    @router.post(
        _ONE + "/begin",
        status_code=201,
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} An earlier version is restored so, too.",
    )
    def begin_draft(
        kind: Kind,
        name: Name,
        form: Beginning,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("author"))],
    ) -> PolicyVersion:
        """Begin a draft from an earlier version, from a copy of another agreement, or from an outline."""
        text, cases = _first_text(store, kind, name, form)
        kept = store.save_draft(kind, name, text, cases, staff, reason=form.reason)
        response.headers["Location"] = f"/admin/v1/policies/{kind}/{name}/versions/{kept.version}"
        return answer(response, kept, staff)


def _matrix_routes(router: APIRouter, store: PolicyStore, check: StaffCheck, answer: Answered) -> None:
    @router.get(_VERSION + "/matrix", responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_matrix(
        name: Name, number: Number, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> MatrixOut:
        """Every field: how this version releases it, how the one in force does, and how it could be."""
        version = store.get("agreement", name, number)
        active = _in_force(store, name)
        return matrix_out(
            version,
            _rows(store, version, active),
            active.version if active is not None else None,
            terms.terms_of(version.text),
        )

    @router.put(
        _VERSION + "/matrix",
        responses=_CHANGES,
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} {_WRITTEN}",
    )
    def put_matrix(
        name: Name,
        number: Number,
        form: MatrixForm,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("author"))],
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        """Write choices of the matrix into a draft. You become one of its editors, and cannot approve it."""
        seen, present = etag_of(if_match), store.get("agreement", name, number)
        rows = _rows(store, present, _in_force(store, name))
        choices, bases = choices_of(form)
        _refuse_unknown(choices, {row.field.name for row in rows})
        edits = dict(matrix.edits(rows, choices, bases))
        return answer(response, _edited(store, present, edits, staff, seen, form.reason), staff)


def _terms_routes(router: APIRouter, store: PolicyStore, check: StaffCheck, answer: Answered) -> None:
    @router.get(_VERSION + "/terms", responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_terms(
        name: Name, number: Number, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> TermsOut:
        """What an agreement says beside its fields, as far as its text can be read."""
        version = store.get("agreement", name, number)
        written = terms.terms_of(version.text)
        missing = store.judge(version).documents
        regions = [named_region(code) for code in written.regions]
        programmes, consumers = store.book_of().programmes, store.consumers()
        return terms_out(version, written, missing, regions, DOCUMENT_KINDS, programmes, consumers)

    @router.put(
        _VERSION + "/terms",
        responses=_CHANGES,
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} {_WRITTEN}",
    )
    def put_terms(
        name: Name,
        number: Number,
        form: TermsForm,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("author"))],
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        """Write terms into a draft. You become one of its editors, and cannot approve it."""
        seen, present = etag_of(if_match), store.get("agreement", name, number)
        edits = dict(terms.edits(form.model_dump(exclude={"reason"})))
        return answer(response, _edited(store, present, edits, staff, seen, form.reason), staff)


def _first_text(store: PolicyStore, kind: Kind, name: str, form: Beginning) -> tuple[bytes, bytes]:
    heading = beginning.Heading(form.title_id, form.title_en, form.consumer, form.purpose, form.pks)
    if form.copy_of is None:
        if kind != "agreement":
            raise BadInput(_NO_OUTLINE)
        return beginning.outlined(name, heading), b""
    source = store.get(kind, form.copy_of.name, form.copy_of.version)
    if source.name == name:
        newest = max(one.version for one in store.versions(kind, name))
        return beginning.restored(source.text, newest + 1), source.cases
    if kind != "agreement":
        raise BadInput(_NO_OUTLINE)
    return beginning.copied(source.text, name, heading), source.cases


def _edited(
    store: PolicyStore,
    present: Version,
    edits: Mapping[Place, Any],
    staff: Staff,
    seen: str,
    reason: str,
) -> Version:
    text = rewritten(present.text, edits)
    return store.edit(
        *(present.kind, present.name, present.version, text, present.cases, staff),
        if_match=seen,
        reason=reason,
    )


def _rows(store: PolicyStore, version: Version, active: Version | None) -> tuple[matrix.Row, ...]:
    book = store.book_of(version.name)
    found: Agreement | None = None
    if active is not None:
        found = next((one for one in book.agreements if one.id == active.name), None)
    dictionary_text = store.get("dictionary", DICTIONARY_NAME).text
    fields = found.fields if found is not None else None
    return matrix.matrix(book.dictionary, dictionary_text, version.text, fields)


def _in_force(store: PolicyStore, name: str) -> Version | None:
    return next((one for one in store.versions("agreement", name) if one.state in IN_FORCE), None)


def _refuse_unknown(choices: Mapping[str, matrix.Chosen], known: set[str]) -> None:
    if not choices.keys() <= known:
        raise BadInput(
            Text(
                "choices: diharapkan elemen dari kamus data, diperoleh yang lain; baca (GET) matriksnya.",
                "choices: expected fields of the dictionary, got another; GET the matrix first.",
            )
        )


_NO_OUTLINE = Text(
    "copy_of: diharapkan versi dari kebijakan yang sama: hanya perjanjian dapat dimulai tanpa contoh.",
    "copy_of: expected a version of the same policy: only an agreement can begin without one.",
)
