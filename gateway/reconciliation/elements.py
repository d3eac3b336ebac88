"""A verdict for every element of a person beside the same element of the record with the NIK. Pure Ibis.

Most pairs are equal to the byte and are said to be so at once; only of the rest is anything brought to a
normal form, once, before the verdicts look at it. MUST NOT be the place where a person is accepted or
refused: that is `compare`.
"""

from __future__ import annotations

from functools import reduce
from operator import and_

import ibis
from ibis.expr import types as ir

from gateway.reconciliation import normal
from gateway.reconciliation.statuses import PersonState, Verdict

# The registry's and the record's elements, under these prefixes while they stand in one row.
HERE, THERE = "here_", "there_"
_NAMES, _PLACES = ("full_name", "mother_name"), ("birth_place",)
# Their normal forms, in further columns.
_FORM = "_form"
_CODE = "region_code" + _FORM
_SLIPS, _LETTERS_PER_SLIP = 2, 3
_REGENCY, _DISTRICT = 5, 8
_CENTURY = 100
_SAME, _VARIANT, _DIFFERENT, _MISSING = (
    verdict.value for verdict in (Verdict.SAME, Verdict.VARIANT, Verdict.DIFFERENT, Verdict.MISSING)
)


def with_verdicts(pairs: ir.Table, regions: ir.Table) -> ir.Table:
    """Verdicts, and what else follows from the elements, in place of the elements; no verdict is null.

    What else: whether names and dates that differ are alike, how many years the births are apart, the
    regencies, and whether a person who moved `stays` in the regency that the registry says.
    """
    people = _with_renamed(_prepared(pairs), regions)
    people = people.mutate(
        name=_text_verdict(people, "full_name"), mother_name=_text_verdict(people, "mother_name")
    )
    return people.select(
        *("person_id", "key", "number", "record_number", "name", "mother_name"),
        several_hold=people.several_number.notnull(),
        birth_place=_text_verdict(people, "birth_place"),
        birth_date=_date_verdict(people),
        sex=_sex_verdict(people),
        region=_region_verdict(people),
        family_card=_family_card_verdict(people),
        name_alike=ibis.ifelse(people.name == _DIFFERENT, _texts_alike(people, "full_name"), False),
        mother_name_alike=ibis.ifelse(
            people.mother_name == _DIFFERENT, _texts_alike(people, "mother_name"), False
        ),
        birth_date_alike=_dates_alike(people),
        years_apart=_years_apart(people).fill_null(0),
        stays=_stays(people),
        regency=regency_of(people[HERE + "region_code"]),
        regency_there=_regency_there(people),
        person_state=people[THERE + "person_state"],
        state_since=people[THERE + "state_since"],
        nik_repeated=people[THERE + "nik_repeated"].fill_null(False),
    )


def are_known(pairs: ir.Table) -> ir.BooleanValue:
    """Whether the elements of the registry are such that equal ones get the verdict `same`. Null for null."""
    names = [~normal.is_no_name(pairs[HERE + name]) for name in (*_NAMES, *_PLACES)]
    card = pairs[HERE + "family_card_number"].length() == normal.NIK_DIGITS
    sex = (pairs[HERE + "sex"] == "L") | (pairs[HERE + "sex"] == "P")
    return reduce(and_, names, card & sex & (pairs[HERE + "region_code"] != ""))


def regency_of(code: ir.StringValue) -> ir.StringValue:
    """The regency or city of a region code; a province where that is all; null where there is none."""
    regency = normal.region_key(code).left(_REGENCY)
    return ibis.ifelse(regency == "", ibis.null(str), regency)


def _prepared(pairs: ir.Table) -> ir.Table:
    """The pairs with the normal forms of what is not equal already: else null, and empty where it is none."""
    forms = {
        side + name + _FORM: ibis.ifelse(
            _differ(pairs, name), _to_compare(pairs, side + name), ibis.null(str)
        )
        for name in (*_NAMES, *_PLACES, "region_code")
        for side in (HERE, THERE)
    }
    return normal.in_words(
        pairs.mutate(**forms),
        names=[side + name + _FORM for name in _NAMES for side in (HERE, THERE)],
        places=[side + name + _FORM for name in _PLACES for side in (HERE, THERE)],
    )


def _to_compare(pairs: ir.Table, column: str) -> ir.StringValue:
    text = pairs[column]
    if column.endswith("region_code"):
        return normal.region_key(text)
    return ibis.ifelse(normal.is_no_name(text), "", text)


def _differ(pairs: ir.Table, name: str) -> ir.BooleanValue:
    return pairs[HERE + name] != pairs[THERE + name]


def _with_renamed(people: ir.Table, regions: ir.Table) -> ir.Table:
    """The people with `renamed`: whether one of two codes that differ is the other's former or new code.

    Codes are compared as far down as both go. A new code of a district speaks for its villages; one of a
    regency or province only where nothing below it changed.
    """
    here, there = people[HERE + _CODE], people[THERE + _CODE]
    length = ibis.least(here.length(), there.length())
    here, there = here.left(length), there.left(length)
    rest_alike = here.substr(_REGENCY) == there.substr(_REGENCY)
    nowhere = ibis.null(str)
    asked = people.mutate(
        whole=ibis.ifelse(here != there, _pair(here, there), nowhere),
        district=ibis.ifelse(
            (here != there) & (length > _DISTRICT),
            _pair(here.left(_DISTRICT), there.left(_DISTRICT)),
            nowhere,
        ),
        regency=ibis.ifelse(
            (here != there) & (length > _REGENCY) & rest_alike,
            _pair(here.left(_REGENCY), there.left(_REGENCY)),
            nowhere,
        ),
    )
    old, new = normal.region_key(regions.old_code), normal.region_key(regions.new_code)
    known = regions.select(pair=_pair(old, new)).union(regions.select(pair=_pair(new, old))).distinct()
    found = asked
    for level in ("whole", "district", "regency"):
        pairs = known.select(**{f"known_{level}": known.pair})
        found = found.left_join(pairs, [(level, f"known_{level}")])
    renamed = ibis.coalesce(found.known_whole, found.known_district, found.known_regency).notnull()
    return found.select(*people.columns, renamed=renamed)


def _pair(here: ir.StringValue, there: ir.StringValue) -> ir.StringValue:
    return here + ">" + there


def _text_verdict(people: ir.Table, name: str) -> ir.StringValue:
    """Of a person's name or a place: `variant` in another usual spelling or order, or with other titles."""
    here, there = people[HERE + name], people[THERE + name]
    words_here, words_there = people[HERE + name + _FORM], people[THERE + name + _FORM]
    return ibis.cases(
        (here == there, ibis.ifelse(normal.is_no_name(here), _MISSING, _SAME)),
        (_is_empty(words_here) | _is_empty(words_there), _MISSING),
        (
            normal.squeezed(words_here) == normal.squeezed(words_there),
            ibis.ifelse(normal.tidy(here) == normal.tidy(there), _SAME, _VARIANT),
        ),
        (normal.in_order(words_here) == normal.in_order(words_there), _VARIANT),
        else_=_DIFFERENT,
    )


def _is_empty(text: ir.StringValue) -> ir.BooleanValue:
    return text.isnull() | (text == "")


def _texts_alike(people: ir.Table, name: str) -> ir.BooleanValue:
    """Whether names that differ may be one, mistyped or with a part left out. Never null."""
    here, there = people[HERE + name + _FORM], people[THERE + name + _FORM]
    typed_here, typed_there = normal.squeezed(here), normal.squeezed(there)
    slips = typed_here.levenshtein(typed_there)
    longer = ibis.greatest(typed_here.length(), typed_there.length())
    left_out = _within(here, there) | _within(there, here) | _same_ends(here, there)
    alike = ((slips <= _SLIPS) & (slips * _LETTERS_PER_SLIP <= longer)) | left_out
    return ibis.ifelse(_is_empty(here) | _is_empty(there), False, alike)


def _within(here: ir.StringValue, there: ir.StringValue) -> ir.BooleanValue:
    return (" " + there + " ").contains(" " + here + " ")


def _same_ends(here: ir.StringValue, there: ir.StringValue) -> ir.BooleanValue:
    first, last = " .*$", "^.* "
    same_first = here.re_replace(first, "") == there.re_replace(first, "")
    return same_first & (here.re_replace(last, "") == there.re_replace(last, ""))


def _date_verdict(people: ir.Table) -> ir.StringValue:
    """`variant`: day and month exchanged, 1 January for a day that nobody knew, or the wrong century."""
    here, there = people[HERE + "birth_date"], people[THERE + "birth_date"]
    same_year = here.year() == there.year()
    same_day = (here.month() == there.month()) & (here.day() == there.day())
    exchanged = (here.month() == there.day()) & (here.day() == there.month())
    new_year = _is_new_year(here) | _is_new_year(there)
    return ibis.cases(
        (here == there, _SAME),
        (here.isnull() | there.isnull(), _MISSING),
        (same_year & (exchanged | new_year), _VARIANT),
        (same_day & (_years_apart(people) == _CENTURY), _VARIANT),
        else_=_DIFFERENT,
    )


def _is_new_year(day: ir.DateValue) -> ir.BooleanValue:
    return (day.month() == 1) & (day.day() == 1)


def _years_apart(people: ir.Table) -> ir.IntegerValue:
    here, there = people[HERE + "birth_date"], people[THERE + "birth_date"]
    return ibis.ifelse(here == there, 0, (here.year() - there.year()).abs().cast("int32"))


def _dates_alike(people: ir.Table) -> ir.BooleanValue:
    """Whether two of day, month and year are equal. Never null."""
    here, there = people[HERE + "birth_date"], people[THERE + "birth_date"]
    year, month, day = here.year() == there.year(), here.month() == there.month(), here.day() == there.day()
    alike = (year & month) | (year & day) | (month & day)
    return ibis.ifelse(here == there, True, alike).fill_null(False)


def _sex_verdict(people: ir.Table) -> ir.StringValue:
    """`variant` where the record says another sex, but its NIK (+ 40 for women) that of the registry."""
    raw_here, raw_there = people[HERE + "sex"], people[THERE + "sex"]
    in_nik = ibis.ifelse(people.record_number.isnull(), ibis.null(str), normal.sex_in_nik(people.key))
    here = normal.sex_word(raw_here)
    there = ibis.coalesce(normal.sex_word(raw_there), in_nik)
    return ibis.cases(
        ((raw_here == raw_there) & raw_here.isin(["L", "P"]), _SAME),
        (here.isnull() | there.isnull() | people[THERE + "nik_repeated"], _MISSING),
        (here == there, _SAME),
        (here == in_nik, _VARIANT),
        else_=_DIFFERENT,
    )


def _region_verdict(people: ir.Table) -> ir.StringValue:
    """`same` where two codes agree as far down as both go; `variant` where one was renamed to the other."""
    raw_here, raw_there = people[HERE + "region_code"], people[THERE + "region_code"]
    here, there = people[HERE + _CODE], people[THERE + _CODE]
    return ibis.cases(
        (raw_here == raw_there, ibis.ifelse(raw_here == "", _MISSING, _SAME)),
        (_is_empty(here) | _is_empty(there), _MISSING),
        (_agree_down_to(here, there), _SAME),
        (people.renamed, _VARIANT),
        else_=_DIFFERENT,
    )


def _agree_down_to(
    here: ir.StringValue, there: ir.StringValue, letters: int | None = None
) -> ir.BooleanValue:
    length = ibis.least(here.length(), there.length(), *([] if letters is None else [ibis.literal(letters)]))
    return here.left(length) == there.left(length)


def _stays(people: ir.Table) -> ir.BooleanValue:
    """Whether the record is of the regency that the registry says, or of its former code. Never null."""
    raw_here, raw_there = people[HERE + "region_code"], people[THERE + "region_code"]
    here, there = people[HERE + _CODE], people[THERE + _CODE]
    agrees = people.renamed | (_agree_down_to(here, there, _REGENCY) & (here != "") & (there != ""))
    return ibis.ifelse(raw_here == raw_there, raw_here != "", agrees).fill_null(False)


def _regency_there(people: ir.Table) -> ir.StringValue:
    """Where the record is, of a person who moved; else null."""
    regency = regency_of(people[THERE + "region_code"])
    return ibis.ifelse(people[THERE + "person_state"] == PersonState.MOVED, regency, ibis.null(str))


def _family_card_verdict(people: ir.Table) -> ir.StringValue:
    raw_here, raw_there = people[HERE + "family_card_number"], people[THERE + "family_card_number"]
    here, there = normal.nik_key(raw_here), normal.nik_key(raw_there)
    known = normal.is_identifier(here) & normal.is_identifier(there)
    return ibis.cases(
        ((raw_here == raw_there) & (raw_here.length() == normal.NIK_DIGITS), _SAME),
        (~known.fill_null(False), _MISSING),
        (here == there, _SAME),
        else_=_DIFFERENT,
    )
