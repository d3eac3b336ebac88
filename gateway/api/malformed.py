"""Where a request is malformed: what was expected there, what kind of thing stood there, what to do. Pure.

The framework's findings are in English and may quote what was sent; here each is told anew, in both
languages, from its kind and its bounds alone. It MUST NOT repeat a value, nor a name that no form declares: a
member's name is the sender's text too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import PydanticCustomError

from policies.dictionary import Text

_OWN_CHECK: Final = "own_check"
_PLACES = {"body", "query", "path", "header", "cookie"}


@dataclass(frozen=True, slots=True)
class Malformed:
    """One place. `pointer` (RFC 6901) begins where `place` does; `got` is a JSON type, None if not known."""

    place: str
    pointer: str
    expected: Text
    got: str | None
    remedy: Text

    @property
    def sentence(self) -> Text:
        """All of it in one sentence."""
        where = self.pointer or self.place
        got = Text("", "")
        if self.got is not None:
            got = Text(f", diperoleh {_TYPES[self.got].id}", f", got {_TYPES[self.got].en}")
        return Text(
            f"{where}: diharapkan {self.expected.id}{got.id}; {self.remedy.id}",
            f"{where}: expected {self.expected.en}{got.en}; {self.remedy.en}",
        )


def malformed(errors: Iterable[Mapping[str, Any]], member_names: frozenset[str]) -> list[Malformed]:
    """Pydantic's findings as we tell them; `member_names` are the names that the forms declare."""
    return [_told(error, member_names) for error in errors]


def own_check(id_: str, en: str) -> PydanticCustomError:
    """What a form's own validator raises: what it expected, in both languages, after "expected"."""
    return PydanticCustomError(_OWN_CHECK, "{en}", {"id": id_, "en": en})


def without_values(errors: Iterable[Mapping[str, Any]], place: str) -> list[dict[str, Any]]:
    """Pydantic's findings about `place` with the type of what stood there instead of what stood there."""
    return [
        {
            **{name: value for name, value in error.items() if name not in {"input", "url"}},
            "loc": (place, *error["loc"]),
            "got": _type_of(error),
        }
        for error in errors
    ]


def _told(error: Mapping[str, Any], member_names: frozenset[str]) -> Malformed:
    location: Sequence[str | int] = error["loc"]
    place = str(location[0]) if location and location[0] in _PLACES else "body"
    inside = location[1:] if location and location[0] in _PLACES else location
    known: Iterator[str | int] = itertools.takewhile(
        lambda part: isinstance(part, int) or part in member_names, inside
    )
    kind, bounds = error["type"], error.get("ctx") or {}
    got = error["got"] if "got" in error else _type_of(error)
    if got == "string" and place != "body":
        got = None  # whatever is written there is a text, numbers too
    if kind == "json_invalid":  # located by its character, which is no place of a document
        known = iter(())
    say = _EXPECTED.get(kind)
    return Malformed(
        place,
        "".join(f"/{part}" for part in known),
        say(bounds) if say is not None else _AS_THE_CONTRACT_SAYS,
        got,
        _REMEDIES.get(kind, _MEND),
    )


def _type_of(error: Mapping[str, Any]) -> str | None:
    """The JSON type of what stood there."""
    if error["type"] == "missing":
        return "nothing"
    if "input" not in error or error["type"] in _NO_TYPE:
        return None
    return next((word for kind, word in _KINDS if isinstance(error["input"], kind)), "string")


def _bound(id_: str, en: str) -> Callable[[Mapping[str, Any]], Text]:
    """What is expected, with the bounds that the finding names."""
    return lambda bounds: Text(id_.format_map(bounds), en.format_map(bounds))


def _word(bounds: Mapping[str, Any]) -> Text:
    listed = str(bounds["expected"]).replace(" or ", ", ")
    return Text(f"salah satu dari {listed}", f"one of {listed}")


_TEXT, _NUMBER = _bound("teks", "a text"), _bound("bilangan bulat", "a whole number")
_TRUTH, _LIST = _bound("true atau false", "true or false"), _bound("daftar", "a list")
_OBJECT, _UUID = _bound("objek", "an object"), _bound("UUID", "a UUID")
_DAY = _bound("tanggal, YYYY-MM-DD", "a date, YYYY-MM-DD")
_MOMENT = _bound(
    "saat dengan zona waktu, seperti 2026-11-22T09:00:00+07:00",
    "a moment with its time zone, such as 2026-11-22T09:00:00+07:00",
)
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], Text]] = {
    _OWN_CHECK: lambda bounds: Text(bounds["id"], bounds["en"]),
    "missing": _bound("suatu nilai", "a value"),
    "extra_forbidden": _bound("hanya nama yang ada dalam kontrak", "only names that the contract has"),
    "json_invalid": _bound("JSON yang sah", "valid JSON"),
    "literal_error": _word,
    "enum": _word,
    "string_type": _TEXT,
    "string_unicode": _bound("teks Unicode yang sah", "a valid Unicode text"),
    "string_too_short": _bound(
        "teks, sedikitnya {min_length} karakter", "a text of at least {min_length} chars"
    ),
    "string_too_long": _bound(
        "teks, paling banyak {max_length} karakter", "a text of at most {max_length} chars"
    ),
    "string_pattern_mismatch": _bound("teks berpola {pattern}", "a text of the pattern {pattern}"),
    "too_short": _bound("sedikitnya {min_length} butir", "at least {min_length} items"),
    "too_long": _bound("paling banyak {max_length} butir", "at most {max_length} items"),
    "greater_than_equal": _bound("bilangan, sedikitnya {ge}", "a number, at least {ge}"),
    "greater_than": _bound("bilangan di atas {gt}", "a number above {gt}"),
    "less_than_equal": _bound("bilangan, paling banyak {le}", "a number, at most {le}"),
    "less_than": _bound("bilangan di bawah {lt}", "a number below {lt}"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), _OBJECT),
    **dict.fromkeys(("uuid_type", "uuid_parsing"), _UUID),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DAY
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "timezone_aware", "datetime_object_invalid"), _MOMENT
    ),
    "datetime_from_date_parsing": _MOMENT,
}
_AS_THE_CONTRACT_SAYS = Text("isi sesuai kontrak (/openapi.json)", "what the contract says (/openapi.json)")
_MEND = Text("kirim yang diharapkan", "send what is expected")
_REMEDIES: Mapping[str, Text] = {
    "missing": Text("tambahkan", "add it"),
    "extra_forbidden": Text("hapus, atau betulkan namanya", "leave it away, or correct its name"),
    "json_invalid": Text("periksa kurung, koma dan kutipnya", "check its brackets, commas and quotes"),
}
# Their input is not what stood in the place, or its type says nothing.
_NO_TYPE = frozenset({"extra_forbidden", "json_invalid", _OWN_CHECK})
# A truth before the numbers, of which Python makes it one; what is none of these came as a text.
_KINDS: Sequence[tuple[type, str]] = (
    (type(None), "null"),
    (bool, "boolean"),
    (int, "number"),
    (float, "number"),
    (list, "array"),
    (dict, "object"),
)
_TYPES: Mapping[str, Text] = {
    "nothing": Text("tidak ada", "nothing"),
    "null": Text("null", "null"),
    "boolean": Text("true/false", "true/false"),
    "number": Text("bilangan", "a number"),
    "string": Text("teks", "a text"),
    "array": Text("daftar", "a list"),
    "object": Text("objek", "an object"),
}
