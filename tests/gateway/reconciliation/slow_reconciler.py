"""A reconciler that is small and slow: one person after another, in plain Python, from the rules as told.

It shares no code with the product. Where the two disagree, one of them reads the rules wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

Row = Mapping[str, Any]

_TITLES = (
    "H HJ HAJI HAJJAH KH KHJ TGK TGH UST USTAD USTADZ USTADZAH GUS DR DRG DRH DRS DRA IR PROF "
    "NS APT R RR RA RD RM RADEN NYAI ALM ALMH ALMARHUM ALMARHUMAH BAPAK BPK IBU NY TN NN SDR "
    "SDRI"
)
BEFORE = set(_TITLES.split())
AFTER = ("SPD", "SE", "SH", "SAG", "MSI", "MM", "SKOM", "AMD")
NO_NAMES = {
    "",
    "TIDAKADA",
    "TDKADA",
    "NIHIL",
    "KOSONG",
    "NN",
    "NA",
    "NULL",
    "X",
    "XX",
    "XXX",
    "IBU",
    "TIDAKTAHU",
}
MUHAMMADS = {
    *("M", "MD", "MHD", "MUHD", "MOHD", "MOH", "MUH", "MOCH", "MUCH", "MOKH", "MUKH", "MUHAMMAD", "MUHAMAD"),
    *("MOHAMMAD", "MOHAMAD", "MOCHAMMAD", "MOCHAMAD", "MUCHAMAD", "MOHAMED", "MUHAMMED", "MUHAMMAT"),
}


def letters(text: str) -> list[str]:
    """The words in capitals without accents; an apostrophe divides nothing."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    kept = "".join(
        c.upper() if c.isascii() and c.isalpha() else ("" if c in "'`\u2019\u2018" else " ") for c in plain
    )
    return kept.split()


def is_no_name(text: str | None) -> bool:
    return text is None or "".join(letters(text)) in NO_NAMES


def name_words(text: str) -> list[str]:
    words = letters(text)
    while len(words) > 1 and words[0] in BEFORE:
        words = words[1:]
    words = _without_degrees(words)
    words = [word for word in words if word not in {"BIN", "BINTI", "BINTE", "B", "BT"}]
    whole = {"ABD": "ABDUL", "ST": "SITI", "STI": "SITI"}
    words = ["MUHAMAD" if word in MUHAMMADS else whole.get(word, word) for word in words]
    return [spelt(word) for word in words]


def _without_degrees(words: list[str]) -> list[str]:
    """Degrees stand at the end, in one word or with their first letter apart; something is left before."""
    while len(words) > 1:
        if words[-1] in AFTER:
            words = words[:-1]
        elif len(words) > 2 and "".join(words[-2:]) in AFTER and len(words[-2]) <= 1:
            words = words[:-2]
        else:
            break
    return words


def spelt(word: str) -> str:
    for written, now in (
        *(("DJ", "J"), ("TJ", "C"), ("NJ", "NY"), ("SJ", "SY"), ("OE", "U"), ("KH", "H"), ("CH", "H")),
        *(("PH", "P"), ("DH", "D"), ("TH", "T"), ("SH", "S"), ("SY", "S"), ("X", "KS")),
    ):
        word = now.join(word.split(written))
    word = "".join({"F": "P", "V": "P", "Q": "K", "Z": "S", "Y": "I"}.get(c, c) for c in word)
    return re.sub(r"(.)\1", r"\1", word)


def text_verdict(here: str | None, there: str | None, words: Any = name_words) -> str:
    if is_no_name(here) or is_no_name(there):
        return "missing"
    assert here is not None
    assert there is not None
    if " ".join(here.split()).upper() == " ".join(there.split()).upper():
        return "same"
    a, b = words(here), words(there)
    if not "".join(a) or not "".join(b):
        return "missing"
    return "variant" if sorted(a) == sorted(b) or "".join(a) == "".join(b) else "different"


def place_words(text: str) -> list[str]:
    words = letters(text)
    while len(words) > 1 and words[0] in {
        "KOTA",
        "KABUPATEN",
        "KAB",
        "KOTAMADYA",
        "KODYA",
        "KECAMATAN",
        "KEC",
    }:
        words = words[1:]
    return [spelt(word) for word in words]


def alike(here: str, there: str) -> bool:
    a, b = name_words(here), name_words(there)
    slips, longer = distance("".join(a), "".join(b)), max(len("".join(a)), len("".join(b)))
    part = f" {' '.join(a)} " in f" {' '.join(b)} " or f" {' '.join(b)} " in f" {' '.join(a)} "
    return (slips <= 2 and slips * 3 <= longer) or part or (a[0] == b[0] and a[-1] == b[-1])


def distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (x != y)))
    return row[-1]


def date_verdict(here: date | None, there: date | None) -> str:
    if here is None or there is None:
        return "missing"
    if here == there:
        return "same"
    exchanged = here.year == there.year and (here.month, here.day) == (there.day, there.month)
    new_year = here.year == there.year and (1, 1) in {(here.month, here.day), (there.month, there.day)}
    century = abs(here.year - there.year) == 100 and (here.month, here.day) == (there.month, there.day)
    return "variant" if exchanged or new_year or century else "different"


def dates_alike(here: date, there: date) -> bool:
    return sum((here.year == there.year, here.month == there.month, here.day == there.day)) >= 2


def nik_key(nik: str | None) -> str | None:
    if nik is None or len(nik) == 16:
        return nik
    return re.sub(r"[ \t\r\n\u00a0\u200b\ufeff'`\u2019-]", "", nik)


def is_digits(key: str | None) -> bool:
    return key is not None and re.fullmatch("[0-9]{16}", key, re.ASCII) is not None


def is_wellformed(key: str | None) -> bool:
    if key is None or not is_digits(key):
        return False
    day, month = int(key[6:8]) % 40, int(key[8:10])
    return (
        "0" not in key[:2]
        and 1 <= day <= 31
        and int(key[6:8]) <= 71
        and 1 <= month <= 12
        and key[12:] != "0000"
    )


def sex_word(sex: str | None) -> str | None:
    words = " ".join(letters(sex or ""))
    return {"L": "L", "LAKI LAKI": "L", "PRIA": "L", "P": "P", "PEREMPUAN": "P", "WANITA": "P", "W": "P"}.get(
        words
    )


def sex_verdict(here: str | None, there: str | None, key: str) -> str:
    in_nik = "L" if key[6] in "0123" else "P" if key[6] in "4567" else None
    a, b = sex_word(here), sex_word(there) or in_nik
    if a is None or b is None:
        return "missing"
    return "same" if a == b else "variant" if a == in_nik else "different"


def dotted(code: str | None) -> str:
    bare = "".join((code or "").split())
    if bare.isdigit() and len(bare) in {4, 6, 10}:
        return ".".join(part for part in (bare[:2], bare[2:4], bare[4:6], bare[6:]) if part)
    return bare


def region_verdict(here: str | None, there: str | None, renamed: set[tuple[str, str]]) -> str:
    a, b = dotted(here), dotted(there)
    if not a or not b:
        return "missing"
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    if a == b:
        return "same"
    known = (a, b) in renamed or (n > 8 and (a[:8], b[:8]) in renamed)
    known = known or (n > 5 and a[5:] == b[5:] and (a[:5], b[:5]) in renamed)
    return "variant" if known else "different"


def card_verdict(here: str | None, there: str | None) -> str:
    a, b = nik_key(here), nik_key(there)
    if not is_digits(a) or not is_digits(b):
        return "missing"
    return "same" if a == b else "different"


def reconcile(
    registry: Sequence[Row],
    extract: Sequence[Row],
    regions: Sequence[tuple[str, str]],
    *,
    complete: bool = True,
) -> dict[str, dict[str, Any]]:
    """What `compare` says, by person."""
    renamed = {(dotted(a), dotted(b)) for a, b in regions} | {(dotted(b), dotted(a)) for a, b in regions}
    records: defaultdict[str, list[Row]] = defaultdict(list)
    for row in extract:
        key = nik_key(row["nik"])
        if key is not None and is_digits(key) and {**row, "nik": key} not in records[key]:
            records[key].append({**row, "nik": key})
    held = Counter(nik_key(person["nik"]) for person in registry)
    told = {person["person_id"]: _told(person, records, renamed) for person in registry}
    own = Counter(
        nik_key(person["nik"])
        for person in registry
        if told[person["person_id"]]["found"] and not told[person["person_id"]]["another"]
    )
    for person in registry:
        one, key = told[person["person_id"]], nik_key(person["nik"])
        one["shared"] = held[key] > 1 and own[key] > 1
        one["status"] = _status(one, key, complete=complete)
        state = one["status"] in {"deceased", "moved", "inactive"}
        one["state_since"] = one["since"] if state else None
        one["region_moved_to"] = (dotted(one["there"])[:5] or None) if one["status"] == "moved" else None
    return told


def _told(person: Row, records: Mapping[str, list[Row]], renamed: set[tuple[str, str]]) -> dict[str, Any]:
    key = nik_key(person["nik"])
    rows = records.get(key or "", [])
    names = ("name", "birth_date", "birth_place", "sex", "region", "mother_name", "family_card")
    if len(rows) != 1:
        return {
            **dict.fromkeys(names, "missing"),
            "found": bool(rows),
            "repeated": len(rows) > 1,
            "another": False,
            "state": None,
            "since": None,
            "stays": False,
            "there": None,
        }
    record = rows[0]
    assert key is not None
    one: dict[str, Any] = {
        "name": text_verdict(person["full_name"], record["full_name"]),
        "birth_date": date_verdict(person["birth_date"], record["birth_date"]),
        "birth_place": text_verdict(person["birth_place"], record["birth_place"], place_words),
        "sex": sex_verdict(person["sex"], record["sex"], key),
        "region": region_verdict(person["region_code"], record["region_code"], renamed),
        "mother_name": text_verdict(person["mother_name"], record["mother_name"]),
        "family_card": card_verdict(person["family_card_number"], record["family_card_number"]),
    }
    a, b = dotted(person["region_code"]), dotted(record["region_code"])
    n = min(5, len(a), len(b))
    one["stays"] = bool(a and b) and (a[:n] == b[:n] or one["region"] == "variant")
    one |= {"found": True, "repeated": False, "state": record["person_state"], "since": record["state_since"]}
    one |= {"there": record["region_code"], "another": _another(person, record, one)}
    return one


def _another(person: Row, record: Row, one: Mapping[str, str]) -> bool:
    def agree(element: str, column: str, *, missing: bool) -> bool:
        if one[element] == "different":
            return alike(person[column], record[column])
        return one[element] != "missing" or missing

    name = agree("name", "full_name", missing=True)
    if one["birth_date"] == "missing":
        return not name and one["sex"] == "different"
    if one["birth_date"] != "different" or dates_alike(person["birth_date"], record["birth_date"]):
        return False
    if not name:
        return True
    apart = abs(person["birth_date"].year - record["birth_date"].year)
    return apart >= 12 and not agree("mother_name", "mother_name", missing=True)


def _status(one: Mapping[str, Any], key: str | None, *, complete: bool) -> str:  # noqa: PLR0911 - a rule a line
    if not one["found"]:
        return ("unknown_nik" if complete else "not_checked") if is_wellformed(key) else "malformed_nik"
    if one["another"]:
        return "unknown_nik"
    if one["repeated"]:
        return "duplicate"
    if one["state"] not in {"alive", "deceased", "moved", "inactive"}:
        return "not_checked"
    confirmed = all(one[element] in {"same", "variant"} for element in ("name", "birth_date"))
    if one["state"] == "deceased" and (confirmed or not one["shared"]):
        return "deceased"
    if one["shared"]:
        return "duplicate"
    if one["state"] == "inactive":
        return "inactive"
    if one["state"] == "moved" and not one["stays"]:
        return "moved"
    elements = ("name", "birth_date", "birth_place", "sex", "region", "mother_name", "family_card")
    return "matched_with_differences" if any(one[e] == "different" for e in elements) else "matched"
