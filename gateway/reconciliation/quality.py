"""What the provincial offices measure their data by: figures by province, from the registry as it stands.

How many people, in which age groups, who is no longer eligible and still in a programme, who shares a NIK,
who works informally. MUST NOT name a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from gateway.reconciliation.statuses import Status
from gateway.reconciliation.tables import reconciliation_statuses
from gateway.registry.tables import enrolments, people

# The ages at which the law on children's protection and that on elderly welfare draw their lines.
_ADULT, _ELDERLY = 18, 60
_PROVINCE_CHARS = 2
# How the registry writes what statistics count as informal work, as far as a word of it tells.
_INFORMAL = (
    "BURUH",
    "PETANI",
    "NELAYAN",
    "PEDAGANG",
    "WIRASWASTA",
    "SOPIR",
    "TUKANG",
    "ASISTEN RUMAH TANGGA",
)
_status = reconciliation_statuses.c.status


def quality_by_province(
    connection: Connection, region: str | None, as_of: date
) -> Mapping[str, Mapping[str, Any]]:
    """The measures of every province that has people, or of the one in which a region is."""
    province = func.substr(people.c.region_code, 1, _PROVINCE_CHARS).label("province")
    measures = {
        "people": func.count(),
        "aged_under_18": _number(_younger_than(_ADULT, as_of)),
        "aged_18_to_59": _number(and_(~_younger_than(_ADULT, as_of), _younger_than(_ELDERLY, as_of))),
        "aged_60_and_over": _number(~_younger_than(_ELDERLY, as_of)),
        "age_unknown": _number(people.c.birth_date.is_(None)),
        "unmatched": _number(_status.in_([Status.UNKNOWN_NIK, Status.MALFORMED_NIK, Status.INACTIVE])),
        "not_checked": _number(_status.is_(None)),
        "no_longer_eligible": _number(and_(_ended(), _enrolled(as_of))),
        "duplicate_nik": _number(_status == Status.DUPLICATE.value),
        "informal_workers": _number(or_(*(people.c.occupation.startswith(word) for word in _INFORMAL))),
    }
    statement = (
        select(province, *(measure.label(name) for name, measure in measures.items()))
        .select_from(
            people.outerjoin(reconciliation_statuses, reconciliation_statuses.c.person_id == people.c.id)
        )
        .where(people.c.region_code.is_not(None))
        .group_by(province)
        .order_by(province)
    )
    if region is not None:
        statement = statement.where(people.c.region_code.startswith(region[:_PROVINCE_CHARS]))
    rows = connection.execute(statement).all()
    return {row.province: {name: int(getattr(row, name) or 0) for name in measures} for row in rows}


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _younger_than(years: int, as_of: date) -> ColumnElement[bool]:
    """Whether somebody was not yet so old on the day; one born on 29 February has a birthday on the 28th."""
    day = 28 if (as_of.month, as_of.day) == (2, 29) else as_of.day
    return people.c.birth_date > as_of.replace(year=as_of.year - years, day=day)


def _ended() -> ColumnElement[bool]:
    return or_(people.c.life_status == "deceased", people.c.residence_status == "moved")


def _enrolled(as_of: date) -> ColumnElement[bool]:
    return exists().where(
        enrolments.c.person_id == people.c.id,
        enrolments.c.starts_on <= as_of,
        or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > as_of),
    )
