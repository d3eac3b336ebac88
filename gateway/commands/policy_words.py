"""How commands tell of policies: lines for people, plain values for programmes. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from gateway.agreements.files import Applied
from gateway.agreements.judging import Difference
from gateway.agreements.lifecycle import Unmet, Version, may_resume
from gateway.agreements.refused import changed_clauses, in_both_languages
from gateway.agreements.store import Done
from gateway.civil_day import wib
from policies.agreement import Agreement, AgreementBook
from policies.change import Change

_MARKS = {"wider": "+", "narrower": "-", "neutral": "~"}


def version_line(version: Version) -> str:
    """A version in one line."""
    approved = f", approved by {version.approver}" if version.approver else ""
    return f"{version.kind}/{version.name} version {version.version}: {version.state}{approved}"


def version_facts(version: Version) -> dict[str, Any]:
    """A version without its texts."""
    names = ("kind", "name", "version", "state", "sha256", "author", "approver", "suspended_by", "reason")
    facts: dict[str, Any] = {name: getattr(version, name) for name in names}
    moments = {name: getattr(version, name).isoformat() for name in ("created_at", "changed_at")}
    return facts | {"editors": sorted(version.editors), **moments, "etag": version.etag}


def suspension_facts(version: Version, approvers: Iterable[str]) -> dict[str, Any]:
    """Since when (UTC), by whom and why nothing is answered, and who can change that; empty otherwise."""
    if version.state != "suspended":
        return {}
    return {
        "suspended_since": version.changed_at,
        "suspended_by": version.suspended_by,
        "suspended_for": version.reason,
        "resumable_by": list(may_resume(version, approvers)),
    }


def suspension_lines(version: Version, approvers: Iterable[str]) -> Iterator[str]:
    """The same for people."""
    if version.state == "suspended":
        since = f"{wib(version.changed_at):%Y-%m-%d %H:%M} WIB"
        yield f"    suspended since {since} by {version.suspended_by}: {version.reason}"
        able = ", ".join(may_resume(version, approvers)) or "nobody yet: give somebody the role"
        yield f"    resumed by an approver who neither wrote nor suspended it: {able}"


def done_line(done: Done) -> str:
    """An act of the history in one line."""
    why = f": {done.reason}" if done.reason else ""
    return f"{done.at:%Y-%m-%d %H:%M:%S} UTC  version {done.version:<3} {done.act:9} {done.actor}{why}"


def change_lines(change: Change) -> Iterator[str]:
    """What differs, clause by clause in both languages: + opens, - closes, ~ opens and closes nothing."""
    for item in change.items:
        yield f"  {_MARKS[item.way]} {item.path}"
        yield f"      {item.words.id}"
        yield f"      {item.words.en}"


def difference_lines(difference: Difference) -> Iterator[str]:
    """A difference in words as far as both texts can be read, else line by line."""
    if difference.change is None:
        yield "One of the texts cannot be read, so its lines are compared:"
        yield from difference.lines
        return
    needs = {
        "unchanged": "the same in every clause",
        "narrowing": "narrowing: one person may activate it",
        "widening": "widening: it needs an approver who wrote no part of it",
    }
    yield needs[difference.change.direction]
    yield from change_lines(difference.change)


def unmet_lines(conditions: Iterable[Unmet]) -> Iterator[str]:
    """Each condition with who can meet it."""
    for one in conditions:
        yield f"  {one.code}: {one.what.en}"
        yield f"      {one.who.en}"


def warning_lines(warnings: Iterable[str]) -> Iterator[str]:
    """Each warning, told apart from what keeps a text from counting."""
    for warning in warnings:
        yield f"warning: {warning}"


def applied_lines(applied: Applied) -> Iterator[str]:
    """What became of one file, and in words what that changes or would change."""
    numbers = f"{applied.version}" if applied.before is None else f"{applied.before} -> {applied.version}"
    counts = ", from the next request on" if applied.outcome == "active" else ""
    yield f"{applied.kind}/{applied.name} version {numbers}: {applied.outcome}{counts}"
    if applied.change is not None:
        yield from change_lines(applied.change)
    yield from unmet_lines(applied.remains)
    yield from warning_lines(applied.warnings)


def applied_facts(applied: Applied) -> dict[str, Any]:
    """What became of one file, for programmes."""
    return {
        "kind": applied.kind,
        "name": applied.name,
        "version": applied.version,
        "before": applied.before,
        "outcome": applied.outcome,
        "direction": applied.change.direction if applied.change is not None else None,
        "items": changed_clauses(applied.change),
        "remains": [in_both_languages(one) for one in applied.remains],
        "warnings": list(applied.warnings),
    }


def agreement_lines(agreement: Agreement, book: AgreementBook, today: date) -> Iterator[str]:
    """An agreement clause by clause, as it stands today."""
    scope, limits = agreement.scope, agreement.limits
    clauses = {
        "title": agreement.title.id,
        "": agreement.title.en,
        "sha256": agreement.sha256,
        "standing": agreement.standing(today),
        "consumer": agreement.consumer,
        "purpose": agreement.purpose,
        "valid": f"{agreement.valid_from} to {agreement.valid_until}, both days included",
        "legal basis": "; ".join(agreement.legal_basis),
        "documents": ", ".join(f"{kind} {number}" for kind, number in agreement.documents.items()),
        "operations": ", ".join(agreement.operations),
        "programmes": ", ".join(agreement.programmes) or "none",
        "regions": "everywhere" if scope.regions is None else ", ".join(sorted(scope.regions)),
        "people": "anyone"
        if scope.enrolled_in is None
        else f"members of {', '.join(sorted(scope.enrolled_in))}",
        "per request": f"at most {agreement.subjects_per_request} persons",
        "limits": f"{limits.requests_per_minute} requests a minute; {limits.subjects_per_day} persons, "
        f"{limits.new_people_per_day} of them new, a day",
        "pseudonym": agreement.pseudonym_sector or "none",
        "translation": f"for {agreement.translation.to_sector}, {agreement.translation.purpose}"
        if agreement.translation
        else "none",
        "reasons": "given" if agreement.reasons else "not given",
        "source down": agreement.on_source_failure,
        "last known": "never stands in"
        if agreement.last_known_max_age_days is None
        else f"stands in for {agreement.last_known_max_age_days} days",
        "history": "shown to the person at once"
        if agreement.disclosure_delay is None
        else f"shown to the person after {agreement.disclosure_delay.days} days, "
        f"{agreement.disclosure_delay.legal_basis}",
    }
    yield f"{agreement.id}, version {agreement.version}"
    for name, clause in clauses.items():
        yield f"  {name:12} {clause}"
    yield "  fields"
    for name, transformation in agreement.fields.items():
        field = book.dictionary[name]
        yield f"    {name:22} {transformation!s:42} {field.label.en} / {field.label.id}"
