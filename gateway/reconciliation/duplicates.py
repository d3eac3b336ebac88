"""One NIK on several people, and one person under several NIKs. Pure Ibis.

A NIK that several people hold says nothing about who of them is meant; a person who stands twice is helped,
or counted, twice. What is found is for a regency to look into. MUST NOT decide which of two is right.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from gateway.reconciliation import normal

DUPLICATE_NIK = "duplicate_nik"
SAME_PERSON = "same_person_several_niks"


def repeated_niks(table: ir.Table) -> ir.Table:
    """Every NIK that stands in more than one row of a table, as a number, and in how many: number, holders.

    Text that is no NIK may be among them: see `normal.number`.
    """
    niks = table.select(number=normal.number(normal.nik_key(table.nik)))
    counted = niks.filter(niks.number.notnull()).group_by("number").agg(holders=ibis._.count())
    return counted.filter(counted.holders > 1)


def each_nik_once(extract: ir.Table) -> ir.Table:
    """The extract with one row for each NIK, and no row whose NIK is not 16 digits.

    Copies of a row become one. Rows of one NIK that contradict each other become a row with
    `nik_repeated` and without any element: the population register itself holds the number twice.
    """
    rows = extract.mutate(nik=normal.nik_key(extract.nik))
    rows = rows.filter(normal.is_identifier(rows.nik)).mutate(number=normal.number(rows.nik))
    repeated = repeated_niks(extract)
    once = rows.anti_join(repeated, "number").mutate(nik_repeated=ibis.literal(False))
    kinds = rows.semi_join(repeated, "number").distinct()
    others = [name for name in extract.columns if name != "nik"]
    merged = kinds.group_by("nik").agg(kinds=kinds.count(), **{name: kinds[name].max() for name in others})
    told = {
        name: ibis.ifelse(merged.kinds == 1, merged[name], ibis.null(merged[name].type())) for name in others
    }
    resolved = merged.select("nik", **told, nik_repeated=merged.kinds > 1)
    return once.select(resolved.columns).union(resolved)


def people_with_one_nik(registry: ir.Table) -> ir.Table:
    """Everybody whose NIK somebody else of the registry holds too: person_id, region_code, kind, holders.

    What is no NIK at all is left out: nobody shares a number that does not exist.
    """
    people = registry.select("person_id", "region_code", key=normal.nik_key(registry.nik))
    people = people.mutate(number=normal.number(people.key))
    # Whether it is a NIK is asked of the few whose number stands there twice, whatever it is.
    people = people.semi_join(repeated_niks(registry), "number")
    people = people.filter(normal.is_wellformed(people.key))
    counted = people.group_by("number").agg(holders=ibis._.count())
    found = people.inner_join(counted.filter(counted.holders > 1), "number")
    return found.select("person_id", "region_code", kind=ibis.literal(DUPLICATE_NIK), holders=found.holders)


def one_person_with_several_niks(registry: ir.Table) -> ir.Table:
    """Everybody who stands in the registry under another NIK as well: person_id, region_code, kind, holders.

    One person is: the same name in whatever usual spelling, date of birth, sex and mother. Without a mother's
    name, or with a placeholder, nobody is taken for another; 1 January is nobody's day of birth.
    """
    people = registry.select(
        "person_id",
        "region_code",
        "birth_date",
        nik=normal.nik_key(registry.nik),
        called=registry.full_name,
        sex=normal.sex_word(registry.sex),
        mother=ibis.ifelse(normal.is_no_name(registry.mother_name), ibis.null(str), registry.mother_name),
    )
    people = normal.in_words(people, names=["called", "mother"])
    people = people.mutate(called=normal.in_order(people.called), mother=normal.in_order(people.mother))
    birth = people.birth_date
    placed = people.filter((people.mother != "") & (people.called != "") & people.sex.notnull())
    placed = placed.filter(~((birth.month() == 1) & (birth.day() == 1)) & placed.nik.notnull())
    one = ["called", "birth_date", "sex", "mother"]
    # Distinct ones are counted among the few: to do so for everybody takes a set for each of a million.
    alike = placed.group_by(one).agg(least=placed.nik.min(), greatest=placed.nik.max())
    few = placed.semi_join(alike.filter(alike.least != alike.greatest), one)
    several = few.group_by(one).agg(holders=few.nik.nunique())
    found = few.inner_join(several, one)
    return found.select("person_id", "region_code", kind=ibis.literal(SAME_PERSON), holders=found.holders)


def enrolled_twice(found: ir.Table, enrolments: ir.Table) -> ir.Table:
    """Of people who were found to be one, who gets which programme: person_id, programme, kind, holders.

    `enrolments` has person_id and programme; a person who stands in the list of one programme twice counts
    once. Joined with itself by whoever needs to know across which lists one person is helped several times.
    """
    lists = enrolments.select("person_id", "programme").distinct()
    helped = found.inner_join(lists, "person_id")
    return helped.select("person_id", "programme", "kind", "holders")
