"""What another book would have made of the questions that were really asked.

The gateway's log holds no values, so that nothing here is about what a person's record said: a question is
decided anew under both books, and what is compared is whether it is answered, which fields leave in which
form, by which rule and about whom. How many people a narrower scope leaves out, or whom another rule decides
otherwise, the log cannot tell; that it may is told as an effect of its own.

A log of a million questions has few distinct ones. Each is decided once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from policies.agreement import REFUSE, AgreementBook
from policies.bounds import Scope
from policies.decide import ConsumerTerms, Deny, Request, decide
from policies.plan import Plan
from policies.refusals import SOURCE_UNAVAILABLE

MOST_SAMPLES = 5

Kind = Literal[
    "refused",  # answered before, now refused with the code `after`
    "allowed",  # refused before with the code `before`, now answered
    "refused_otherwise",  # refused by both, with another code
    "appears",  # the field `what` now leaves, in the form `after`
    "vanishes",  # it no longer does
    "changes",  # it leaves in another form
    "reasons",  # what each clause of the rule said is now given, or no longer
    "pseudonym",  # people are named in another sector, or no longer
    "rule",  # the programme `what` is decided by another rule, given by its hash
    "people",  # the answer may be about other people: the scope is another
]


class Shape(NamedTuple):
    """A question without its people and its moment, as far as any agreement looks at it.

    `fields` None asks for all that the agreement names. `unavailable` are the fields of which no source
    answered then. `consumer` is as registered today: what counts is what would happen from now on.
    """

    consumer: ConsumerTerms
    operation: str
    purpose: str
    programme: str | None
    fields: tuple[str, ...] | None
    subject_count: int
    unavailable: frozenset[str] = frozenset()


class Effect(NamedTuple):
    """One thing that would be otherwise; `what` is a field, a programme, a purpose or a clause."""

    kind: Kind
    what: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Tally:
    """How many exchanges show an effect, and the ids of a few of them to look at."""

    exchanges: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, count: int, samples: Sequence[str]) -> None:
        """Count exchanges of one shape, and keep some of their ids while there is room."""
        self.exchanges += count
        room = MOST_SAMPLES - len(self.samples)
        if room:
            self.samples.extend(samples[:room])


@dataclass(frozen=True, slots=True)
class ConsumerImpact:
    """What would be otherwise for one consumer: of so many exchanges, so many affected, and how."""

    exchanges: int
    affected: int
    effects: Mapping[Effect, Tally]


@dataclass(frozen=True, slots=True)
class Impact:
    """What would be otherwise, by consumer. Whoever asked is named, affected or not."""

    by_consumer: Mapping[str, ConsumerImpact]

    @property
    def affected(self) -> int:
        """How many exchanges would have gone otherwise."""
        return sum(one.affected for one in self.by_consumer.values())


def impact(
    shapes: Iterable[tuple[Shape, int, Sequence[str]]],
    old_book: AgreementBook,
    new_book: AgreementBook,
    day: date,
) -> Impact:
    """What `new_book` would change, if these questions were asked on a day (civil date of Indonesia).

    Each shape comes with how many exchanges had it and the ids of some; equal shapes may come again. Both
    books are asked for the same day, that on which the new one is to count, and not for the days of the log:
    else a draft that begins tomorrow would refuse all that was asked yesterday.
    """
    grouped: dict[Shape, Tally] = {}
    for shape, count, samples in shapes:
        tally = grouped.get(shape)
        if tally is None:
            tally = grouped[shape] = Tally()
        tally.add(count, samples)
    asked: dict[str, list[tuple[Tally, tuple[Effect, ...]]]] = {}
    for shape, tally in grouped.items():
        found = tuple(effects(shape, old_book, new_book, day))
        asked.setdefault(shape.consumer.id, []).append((tally, found))
    return Impact({consumer: _summed(each) for consumer, each in sorted(asked.items())})


def effects(shape: Shape, old_book: AgreementBook, new_book: AgreementBook, day: date) -> Iterator[Effect]:
    """What would be otherwise about one question; nothing if both books answer it alike.

    The fields that a question gains which was refused are told one by one, for each is let out anew; what a
    question loses that is refused is told by the refusal alone.
    """
    before, after = (_decided(book, shape, day) for book in (old_book, new_book))
    if isinstance(after, str):
        if before != after:
            kind: Kind = "refused_otherwise" if isinstance(before, str) else "refused"
            yield Effect(kind, shape.purpose, before if isinstance(before, str) else None, after)
        return
    if isinstance(before, str):
        yield Effect("allowed", shape.purpose, before, None)
        yield from _field_effects({}, _forms(after))
        return
    yield from _field_effects(_forms(before), _forms(after))
    yield from _answer_effects(before, after)


def _decided(book: AgreementBook, shape: Shape, day: date) -> Plan | str:
    """The plan by which a question is answered, or the code with which it is refused."""
    request = Request(shape.operation, shape.purpose, shape.programme, shape.fields, shape.subject_count)
    answer = decide(book, shape.consumer, request, day)
    if isinstance(answer, Deny):
        return answer.code
    if answer.plan.on_source_failure == REFUSE and shape.unavailable & answer.plan.needs:
        return SOURCE_UNAVAILABLE
    return answer.plan


def _forms(plan: Plan) -> dict[str, str]:
    return {output.name: str(output.transformation) for output in plan.outputs}


def _field_effects(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Effect]:
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if was != now:
            kind: Kind = "appears" if was is None else "vanishes" if now is None else "changes"
            yield Effect(kind, name, was, now)


def _answer_effects(before: Plan, after: Plan) -> Iterator[Effect]:
    if before.pseudonym_sector != after.pseudonym_sector:
        yield Effect("pseudonym", "pseudonym_sector", before.pseudonym_sector, after.pseudonym_sector)
    if after.rule is not None and before.rule is not None:
        if before.reasons != after.reasons:
            yield Effect("reasons", "reasons", _given(before.reasons), _given(after.reasons))
        if before.rule.sha256 != after.rule.sha256:
            yield Effect("rule", after.rule.programme, before.rule.sha256, after.rule.sha256)
    if before.scope != after.scope:
        yield Effect("people", "scope", _described(before.scope), _described(after.scope))


def _summed(found: Iterable[tuple[Tally, tuple[Effect, ...]]]) -> ConsumerImpact:
    exchanges = affected = 0
    tallies: dict[Effect, Tally] = {}
    for tally, effects_of_shape in found:
        exchanges += tally.exchanges
        affected += tally.exchanges if effects_of_shape else 0
        for effect in effects_of_shape:
            tallies.setdefault(effect, Tally()).add(tally.exchanges, tally.samples)
    return ConsumerImpact(exchanges, affected, tallies)


def _given(reasons: bool) -> str:
    return "given" if reasons else "not given"


def _described(scope: Scope) -> str:
    where = "everywhere" if scope.regions is None else ", ".join(sorted(scope.regions))
    who = "anyone" if scope.enrolled_in is None else ", ".join(sorted(scope.enrolled_in))
    return f"{where}; {who}"
