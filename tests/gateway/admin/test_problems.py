"""How errors leave: in one language, with what to do, and of a malformed request never what stood there."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api import problems
from gateway.api.malformed import malformed, own_check, without_values
from gateway.api.problem_words import IN_INDONESIAN, REMEDIES, TITLES
from gateway.errors import BadInput, GapuraError, NotFound, RoleMissing, StoreUnavailable
from policies.dictionary import Text
from tests.gateway.staff.office import InProcess

SECRET = "3578010101909000"
NAMES = frozenset({"nik", "age", "when", "sex", "people", "inner", "count", "ok"})


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(ge=1, le=5)]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    nik: Annotated[str, Field(min_length=3, max_length=16)] = "abc"
    age: int = 1
    when: date = date(2026, 1, 1)
    sex: Literal["L", "P"] = "L"
    ok: bool = True
    people: Annotated[list[Inner], Field(min_length=1, max_length=2)] = Field(default=[Inner(count=1)])
    inner: Inner | None = None


ERRORS: dict[str, GapuraError] = {
    "both": BadInput(Text("teks: kosong.", "text: empty.")),
    "english": NotFound("There is no version 7."),
    "code": StoreUnavailable("The database cannot be reached."),
    "role": RoleMissing({"author": ("ani",)}),
}


@pytest.fixture(scope="module")
def http() -> Any:
    app = FastAPI()
    problems.install(app, NAMES)

    @app.post("/forms")
    def take(form: Form, count: Annotated[int, Query(le=9)] = 1) -> int:
        return count + form.age

    @app.get("/errors/{name}")
    def fail(name: str) -> None:
        raise ERRORS[name]

    return InProcess(app)


def _told(http: Any, path: str, language: str | None = None, **request: Any) -> tuple[dict[str, Any], str]:
    headers = {"Content-Type": "application/json"} if "content" in request else {}
    headers |= {} if language is None else {"Accept-Language": language}
    with httpx.Client(transport=http, base_url="http://gapura.test") as client:
        method = "POST" if request else "GET"
        answer = client.request(method, path, headers=headers, **request)
    return answer.json(), answer.headers["content-language"]


@pytest.mark.parametrize(
    ("asked", "language"), [(None, "id"), ("id", "id"), ("fr", "id"), ("en-GB, id;q=0.5", "en"), ("EN", "en")]
)
def test_a_problem_is_in_the_language_asked_for_as_a_whole(
    http: Any, asked: str | None, language: str
) -> None:
    told, said = _told(http, "/errors/both", asked)
    texts = [getattr(text, language) for text in (TITLES[400], ERRORS["both"].said, REMEDIES[400])]
    assert ([told["title"], told["detail"], told["remedy"]], said) == (texts, language)


def test_a_sentence_that_exists_in_english_only_makes_the_whole_problem_english(http: Any) -> None:
    told, said = _told(http, "/errors/english", "id")
    assert (told["title"], told["remedy"], said) == (TITLES[404].en, REMEDIES[404].en, "en")


def test_a_code_that_always_means_the_same_is_told_in_both_languages(http: Any) -> None:
    assert _told(http, "/errors/code")[0]["detail"] == IN_INDONESIAN["store_unavailable"]
    assert _told(http, "/errors/code", "en")[0]["detail"] == "The database cannot be reached."
    assert _told(http, "/errors/role")[0]["detail"] == "Ini memerlukan peran author."


def test_every_status_says_what_to_do_and_every_indonesian_sentence_belongs_to_a_code() -> None:
    assert set(TITLES) == set(REMEDIES) >= set(problems.STATUS.values())
    assert set(IN_INDONESIAN) <= {
        *("use_dpop_nonce", "not_signed_in", "csrf_token_missing", "sign_in_busy", "not_yet_integrated")
    } | {error.code for error in _all_errors(GapuraError)}


def _all_errors(kind: type[GapuraError]) -> set[type[GapuraError]]:
    return {kind}.union(*(_all_errors(one) for one in kind.__subclasses__()))


@pytest.mark.parametrize(
    ("form", "pointer", "expected", "got"),
    [
        ({"nik": 3578010101909000}, "/nik", "a text", "number"),
        ({"nik": "x"}, "/nik", "a text of at least 3 chars", "string"),
        ({"nik": SECRET + "1"}, "/nik", "a text of at most 16 chars", "string"),
        ({"age": SECRET}, "/age", "a whole number", "string"),
        ({"age": None}, "/age", "a whole number", "null"),
        ({"ok": [SECRET]}, "/ok", "true or false", "array"),
        ({"sex": SECRET}, "/sex", "one of 'L', 'P'", "string"),
        ({"when": SECRET}, "/when", "a date, YYYY-MM-DD", "string"),
        ({"people": []}, "/people", "at least 1 items", "array"),
        ({"people": [{"count": 0}]}, "/people/0/count", "a number, at least 1", "number"),
        ({"people": [{}]}, "/people/0/count", "a value", "nothing"),
        ({"inner": True}, "/inner", "an object", "boolean"),
        ({"inner": {"count": 9}}, "/inner/count", "a number, at most 5", "number"),
        ({SECRET: 1}, "", "only names that the contract has", None),
    ],
)
def test_each_malformed_place_is_told_with_what_was_expected_and_the_type_that_stood_there(
    http: Any, form: dict[str, Any], pointer: str, expected: str, got: str | None
) -> None:
    told, _ = _told(http, "/forms", "en", json=form)
    (part,) = told["errors"]
    assert (part["place"], part["pointer"], part["expected"], part["got"]) == ("body", pointer, expected, got)
    assert told["detail"] == part["problem"] + "."
    assert part["remedy"] in part["problem"]
    assert SECRET not in str(told)
    in_indonesian, _ = _told(http, "/forms", json=form)
    assert "diharapkan" in in_indonesian["detail"]
    assert "expected" not in in_indonesian["detail"]


def test_what_is_no_json_and_what_is_wrong_in_the_query_are_told_by_their_place(http: Any) -> None:
    (part,) = _told(http, "/forms", "en", content=b"{")[0]["errors"]
    assert (part["place"], part["expected"], part["got"]) == ("body", "valid JSON", None)
    (part,) = _told(http, "/forms?count=70", "en", json={})[0]["errors"]
    assert (part["place"], part["pointer"], part["expected"]) == ("query", "/count", "a number, at most 9")


def test_a_finding_of_a_new_kind_points_to_the_contract_and_an_own_check_speaks_for_itself() -> None:
    new = {"type": "brand_new", "loc": ("body", "nik"), "msg": f"not {SECRET}", "input": SECRET}
    own = own_check("tepat satu", "exactly one")
    said = {"type": own.type, "loc": ("body",), "msg": "", "ctx": own.context, "input": {"nik": SECRET}}
    first, second = malformed([new, said], NAMES)
    assert "/openapi.json" in first.expected.en
    assert (second.expected, second.got) == (Text("tepat satu", "exactly one"), None)
    assert SECRET not in str((first, second))


def test_findings_without_values_keep_only_the_type_of_what_stood_there() -> None:
    class Strict(BaseModel):
        key: UUID

    with pytest.raises(ValidationError) as refused:
        Strict.model_validate({"key": SECRET})
    (stripped,) = without_values(refused.value.errors(), "body")
    assert (stripped["loc"], stripped["got"]) == (("body", "key"), "string")
    assert SECRET not in str(stripped.get("input", ""))
    (told,) = malformed([stripped], frozenset({"key"}))
    assert (told.pointer, told.expected.en, told.got) == ("/key", "a UUID", "string")
