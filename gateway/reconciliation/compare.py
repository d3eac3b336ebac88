"""Each person of the registry beside the record that the population register has under the same NIK. Pure.

Expressions for whatever engine their tables belong to: `pairs`, then `elements.with_verdicts`, `judged` and
`everybody`; `stepwise` has them worked out. The result says verdicts, a status and where a person went, and
MUST NOT carry an element of the population register. Who has no record of their own here is looked for by
name elsewhere (`linking`): this module never guesses who somebody is.

A NIK that is right to the digit may still be another's: a child entered with a parent's number, two sisters
exchanged. The record is then *another person's*, and says nothing of this one. It is so if

- neither the name nor the date of birth agrees, not even roughly (two letters of a name are wrong or a part
  of it is left out; two of day, month and year are equal); or, without a date, neither name nor sex; or
- the name agrees, but not the mother's, and the births are a generation apart: father and son of one name.

Who is alike in one of the two passes for the same person, with that difference for the regency to look into.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_

import ibis
from ibis.expr import types as ir

from gateway.reconciliation import elements, normal
from gateway.reconciliation.duplicates import each_nik_once, repeated_niks
from gateway.reconciliation.elements import HERE, THERE
from gateway.reconciliation.statuses import ELEMENTS, PRECEDENCE, PersonState, Status, Verdict

_GENERATION_YEARS = 12
_WITH_DATE = (Status.DECEASED, Status.MOVED, Status.INACTIVE)
_AGREES = (Verdict.SAME, Verdict.VARIANT)


def pairs(registry: ir.Table, extract: ir.Table, *, once: bool = False) -> ir.Table:
    """Whoever is not plainly matched, beside the record of the same NIK, if there is one.

    Plainly matched is whose elements are all known and equal to the byte, and of whom nothing else is to be
    said. `once` says that each NIK of the extract is known to be 16 digits and to stand there once, which
    saves finding out. Holds people, as the registry and the extract do.
    """
    records = extract.mutate(nik_repeated=ibis.literal(False)) if once else each_nik_once(extract)
    names = (*ELEMENTS.values(), "person_state", "state_since", "nik_repeated")
    people = registry.mutate(key=normal.nik_key(registry.nik))
    here = people.select(
        "person_id",
        "key",
        number=ibis.ifelse(normal.is_identifier(people.key), normal.number(people.key), ibis.null("int64")),
        **{HERE + name: people[name] for name in ELEMENTS.values()},
    )
    there = records.select(
        record_number=normal.number(normal.nik_key(records.nik)),
        **{THERE + name: records[name] for name in names},
    )
    several = repeated_niks(registry).select(several_number="number")
    found = here.left_join(there, [("number", "record_number")])
    found = found.left_join(several, [("number", "several_number")])
    return found.filter(~_is_plain(found))


def judged(people: ir.Table, *, complete: bool = True) -> ir.Table:
    """The status of pairs with their verdicts; some turn out to be matched, all of it the same.

    All verdicts of a person without a record are `missing`; a person whose NIK is another's has `unknown_nik`
    with the verdicts that show it. `complete` is False when a part of the extract could not be read: a NIK
    that was not found is then not yet checked, as it may stand in that part.
    """
    people = people.mutate(another=_another_person(people))
    people = people.mutate(own=people.several_hold & people.record_number.notnull() & ~people.another)
    # Of those who hold a NIK together, whom the record is clearly not do not count: a clerk's slip in one
    # person's number takes nothing from the person whose number it is.
    counted = people.filter(people.own).group_by(shared_number="number").agg(holders=lambda own: own.count())
    shared = counted.filter(counted.holders > 1).select("shared_number")
    people = people.left_join(shared, [("number", "shared_number")])
    return _result(people, complete=complete)


def everybody(registry: ir.Table, noted: ir.Table) -> ir.Table:
    """What was judged, with a row for everybody else as well: they are matched, every element the same."""
    told = noted.rename(noted_id="person_id").drop("regency")
    people = registry.select("person_id", regency=elements.regency_of(registry.region_code))
    found = people.left_join(told, [("person_id", "noted_id")])
    plain = found.noted_id.isnull()
    return found.select(
        "person_id",
        "regency",
        status=ibis.ifelse(plain, Status.MATCHED.value, found.status),
        **{element: ibis.ifelse(plain, Verdict.SAME.value, found[element]) for element in ELEMENTS},
        state_since=found.state_since,
        region_moved_to=found.region_moved_to,
    )


def _is_plain(pairs: ir.Table) -> ir.BooleanValue:
    """Whether everything is known and equal to the byte, and nothing else is to be said. Never null."""
    equal = reduce(and_, (pairs[HERE + name] == pairs[THERE + name] for name in ELEMENTS.values()))
    alive = (pairs[THERE + "person_state"] == PersonState.ALIVE) & ~pairs[THERE + "nik_repeated"]
    return (equal & alive & elements.are_known(pairs) & pairs.several_number.isnull()).fill_null(False)


def _another_person(people: ir.Table) -> ir.BooleanValue:
    """Whether the record is clearly another person's; never null. The rule is told at the top."""
    name_agrees = people.name.isin([*_AGREES, Verdict.MISSING]) | people.name_alike
    date_differs = (people.birth_date == Verdict.DIFFERENT) & ~people.birth_date_alike
    undated = people.birth_date == Verdict.MISSING
    unlike = ~name_agrees & (date_differs | (undated & (people.sex == Verdict.DIFFERENT)))
    of_another_mother = (people.mother_name == Verdict.DIFFERENT) & ~people.mother_name_alike
    parent_or_child = (
        name_agrees & date_differs & of_another_mother & (people.years_apart >= _GENERATION_YEARS)
    )
    return unlike | parent_or_child


def _result(people: ir.Table, *, complete: bool) -> ir.Table:
    people = people.mutate(status=_status(people, complete=complete))
    moved = people.status == Status.MOVED
    return people.select(
        "person_id",
        "regency",
        "status",
        *ELEMENTS,
        state_since=ibis.ifelse(people.status.isin(_WITH_DATE), people.state_since, ibis.null("date")),
        region_moved_to=ibis.ifelse(moved, people.regency_there, ibis.null(str)),
    )


def _status(people: ir.Table, *, complete: bool) -> ir.StringValue:
    """The first status of the order of precedence that is true."""
    found, another, state = people.record_number.notnull(), people.another, people.person_state
    shared = people.own & people.shared_number.notnull()
    confirmed = people.name.isin(_AGREES) & people.birth_date.isin(_AGREES)
    said = state.isin(list(PersonState)).fill_null(False) | people.nik_repeated
    differs = reduce(or_, (people[element] == Verdict.DIFFERENT for element in ELEMENTS))
    is_true: Mapping[Status, ir.BooleanValue] = {
        # Its pattern is tried on the few that were not found.
        Status.MALFORMED_NIK: ibis.ifelse(found, False, ~normal.is_wellformed(people.key)),
        Status.NOT_CHECKED: ibis.ifelse(found, ~said & ~another, ibis.literal(not complete)),
        Status.UNKNOWN_NIK: ~found | another,
        # Of several who hold the NIK of a dead person, it is the one whose name and birth agree.
        Status.DECEASED: (state == PersonState.DECEASED) & (~shared | confirmed),
        Status.DUPLICATE: shared | people.nik_repeated,
        Status.INACTIVE: state == PersonState.INACTIVE,
        Status.MOVED: (state == PersonState.MOVED) & ~people.stays,
        Status.MATCHED_WITH_DIFFERENCES: differs,
        Status.MATCHED: ibis.literal(True),
    }
    return ibis.cases(*((is_true[status], status.value) for status in PRECEDENCE))
