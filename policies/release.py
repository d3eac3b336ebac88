"""Release, after everything is fetched: what of one person leaves, in the form that the plan gives it.

It walks over the plan's outputs (its `steps`) and takes one value for each; it never walks over a person's
values. So nothing leaves that the plan does not name, by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from policies.dictionary import Value
from policies.plan import Plan
from policies.pseudonym import SectorKey
from policies.transforms import Claim, Leaving, Occasion

__all__ = ["Released", "Unknown", "release", "release_all", "unknown_field"]


class Unknown(NamedTuple):
    """A field whose source gave no answer: since when (UTC), and how old the last one known is."""

    since: datetime
    last_known_as_of: date | None


class Released(NamedTuple):
    """What leaves of one person: plain JSON values, and what there is to say where there is no value."""

    values: dict[str, Leaving]
    exceptions: dict[str, dict[str, Any]]


def release(
    plan: Plan,
    values: Mapping[str, Value],
    unknown: Mapping[str, Unknown],
    claims: Mapping[str, Claim],
    *,
    on_date: date,
    sector_key: SectorKey | None = None,
) -> Released:
    """What the plan lets out of one person's values, by field name.

    `unknown` and `values` go by the name of the field fetched; a field that is in both is unknown, because
    an old value is no answer. `claims` is what the caller says of this person, for verdicts. `on_date` is the
    day that ages count for. The key of `plan.pseudonym_sector` MUST be given if the plan has one.
    """
    return release_all(plan, (values,), (unknown,), (claims,), on_date=on_date, sector_key=sector_key)[0]


def release_all(
    plan: Plan,
    values: Sequence[Mapping[str, Value]],
    unknown: Sequence[Mapping[str, Unknown]],
    claims: Sequence[Mapping[str, Claim]],
    *,
    on_date: date,
    sector_key: SectorKey | None = None,
) -> list[Released]:
    """`release` for many people, of whom the three sequences tell side by side; in their order."""
    occasion = Occasion(on_date, sector_key)
    everybody: list[Released] = []
    for known, missing, said in zip(values, unknown, claims, strict=True):
        leaving: dict[str, Leaving] = {}
        exceptions: dict[str, dict[str, Any]] = {}
        value_of, claim_of = known.get, said.get
        for name, reads, apply in plan.steps:
            if reads in missing:
                exceptions[name] = unknown_field(missing[reads])
                continue
            value = apply(value_of(reads), claim_of(name), occasion)
            if value is None:
                exceptions[name] = {"state": "absent"}
            else:
                leaving[name] = value
        everybody.append(Released(leaving, exceptions))
    return everybody


def unknown_field(state: Unknown) -> dict[str, Any]:
    """How an answer says that a field's source gave none."""
    known = state.last_known_as_of
    return {
        "state": "unknown",
        "since": state.since.isoformat(timespec="seconds"),
        "last_known_as_of": known.isoformat() if known is not None else None,
    }
