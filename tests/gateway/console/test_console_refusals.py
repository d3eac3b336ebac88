"""What a page says of what the API refused: words for people at their field, and nothing secret again."""

from __future__ import annotations

import json

import pytest

from gateway.console.asking import ApiProblem
from gateway.console.given_back import given_back, holds_private_key
from gateway.console.language import speech
from gateway.oauth.jose import make_key_pair


def _problem(*errors: dict[str, str]) -> ApiProblem:
    return ApiProblem(422, {"code": "malformed_request", "errors": errors}, speech("id").say)


def _error(pointer: str, expected: str, got: str = "string") -> dict[str, str]:
    return {"pointer": pointer, "expected": expected, "got": got, "remedy": "kirim yang diharapkan"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (_error("/region", r"teks berpola ^\d{2}\.\d{2}$"), "Kode Kemendagri, misalnya 35"),
        (_error("/roles", "sedikitnya 1 butir", "array"), "Pilih sedikitnya satu peran."),
        (_error("/jwks", "objek"), "Ini bukan set kunci."),
        (_error("/title/id", "suatu nilai", "nothing"), "Isilah kolom ini."),
        (_error("/name", "teks, sedikitnya 1 karakter"), "Isilah kolom ini."),
        (_error("/name", "teks, paling banyak 80 karakter"), "Diharapkan: teks, paling banyak 80 karakter."),
        (_error("/name", "isi sesuai kontrak (/openapi.json)"), "Isian ini tidak dapat dipakai"),
    ],
)
def test_a_field_is_told_in_words_of_people(error: dict[str, str], told: str) -> None:
    said = _problem(error).at(error["pointer"])
    assert said is not None
    assert said.startswith(told)


def test_what_no_field_has_told_is_left_for_the_top_of_the_page() -> None:
    problem = _problem(_error("/regions/0", "teks"), _error("/overlap_days", "bilangan bulat"))
    assert problem.at("/region") is None
    assert problem.at("/regions") is not None
    assert problem.unplaced == ["overlap days: Jumlah hari, bilangan bulat."]


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_a_private_key_is_known_by_its_members_and_a_public_one_is_not_taken_for_it(algorithm: str) -> None:
    private, public = make_key_pair(algorithm)
    assert holds_private_key(json.dumps({"keys": [private]}))
    assert not holds_private_key(json.dumps({"keys": [public]}))
    assert not holds_private_key("Surat dinas tentang kunci")


def test_no_secret_is_put_on_a_page_again() -> None:
    typed = [("csrf_token", "1"), ("roles", "a"), ("roles", "b"), ("password", "2"), ("jwk", '{"d": "3"}')]
    assert given_back(typed) == [("roles", "a"), ("roles", "b")]
