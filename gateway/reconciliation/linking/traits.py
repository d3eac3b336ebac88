"""What the model compares of each person, in one form on both sides. Pure Ibis.

A value that says nothing (a placeholder mother, a NIK that is no number) becomes null: no evidence, which
is not the same as a difference. MUST NOT touch an engine.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from gateway.reconciliation.linking.names import name_parts

COLUMNS = (
    *("nik", "family_card_number", "full_name", "birth_date", "birth_place"),
    *("sex", "mother_name", "region_code"),
)
# What a clerk writes when only the year is known.
_UNKNOWN_DAY = "0101"
_NIK_DIGITS, _REGION_AND_BIRTH = 16, 12


def traits(registry: ir.Table, extract: ir.Table) -> ir.Table:
    """One row per person of both sides: `side` ("extract" or "registry"), `unique_id`, and what is compared.

    The unique id is the `person_id` on the one side and the NIK on the other; both sides have the columns
    of `COLUMNS`, text but for the birth date. How much a part of a name tells is counted over both sides.
    """
    people = ibis.union(
        registry.select(*COLUMNS, side=ibis.literal("registry"), unique_id=registry.person_id),
        extract.select(*COLUMNS, side=ibis.literal("extract"), unique_id=extract.nik),
    )
    names = ibis.union(people.select(written=people.full_name), people.select(written=people.mother_name))
    parts = name_parts(names.filter(names.written.notnull()))
    plain = _plain_traits(people)
    for field in ("name", "mother"):
        told = parts.select(
            written=parts.written,
            **{f"{field}_{column}": parts[column] for column in ("parts", "sounds", "rarest", "bits")},
        )
        plain = plain.left_join(told, plain[f"{field}_written"] == told.written)
        plain = plain.drop("written", f"{field}_written")
    return plain.mutate(initial=plain.name_sounds.left(1))


def _plain_traits(people: ir.Table) -> ir.Table:
    digits = _joined(people.nik)
    nik = _without_forty(digits)
    begun, whole = nik.length() >= _REGION_AND_BIRTH, nik.length() == _NIK_DIGITS
    card = _joined(people.family_card_number)
    born = people.birth_date
    month, day = _two(born.month()), _two(born.day())
    year = born.year().cast("string")
    place = people.birth_place.upper().strip()
    place = place.startswith("K").ifelse(place.re_replace("^(KAB|KABUPATEN|KOTA)[. ]+", ""), place)
    return people.select(
        "side",
        "unique_id",
        name_written=people.full_name,
        mother_written=people.mother_name,
        nik_written=_if(whole, digits),
        nik=_if(begun, nik),
        nik_head=_if(begun, nik.substr(0, 12)),
        nik_tail=_if(whole, nik.substr(6, 10)),
        card=_if(card.length() == _NIK_DIGITS, card),
        born=year + month + day,
        born_key=_if(month + day != _UNKNOWN_DAY, year + ibis.least(month, day) + ibis.greatest(month, day)),
        birthday=_if(month + day != _UNKNOWN_DAY, month + day),
        born_year=born.year(),
        sex=people.sex,
        place=_if(place != "", place),
        village=people.region_code,
        district=people.region_code.substr(0, 8),
        regency=people.region_code.substr(0, 5),
    )


def _without_forty(digits: ir.StringValue) -> ir.StringValue:
    """A NIK without the 40 on women's days: whether it was added is a common slip."""
    tens = digits.substr(6, 1)
    return ibis.cases(
        (tens == "4", digits.substr(0, 6) + "0" + digits.substr(7)),
        (tens == "5", digits.substr(0, 6) + "1" + digits.substr(7)),
        (tens == "6", digits.substr(0, 6) + "2" + digits.substr(7)),
        (tens == "7", digits.substr(0, 6) + "3" + digits.substr(7)),
        else_=digits,
    )


def _if(condition: ir.BooleanValue, value: ir.StringValue) -> ir.StringValue:
    return condition.ifelse(value, ibis.null("string"))


def _joined(number: ir.StringValue) -> ir.StringValue:
    """A number without the blanks and marks that clerks group digits with."""
    for mark in " .-'":
        number = number.replace(mark, "")
    return number


def _two(number: ir.IntegerValue) -> ir.StringValue:
    return number.cast("string").lpad(2, "0")
