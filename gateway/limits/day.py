"""One day's rows in hand: while the ledger holds them locked, request after request is weighed here.

In memory. It decides nothing (`budget.weigh` does) and reads nothing; it keeps what each request adds, so
that the next one of the same transaction meets it, and that all of it can be written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from gateway.limits.budget import Refusal, Spent, Use, Weighed, weigh
from gateway.limits.patterns import Level, MarkedPlace, Pattern, Seen, Thresholds, Walk, follow
from policies.bounds import Limits


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: how many subjects it names, and who they are, by position. MUST NOT be logged.

    `niks` and `marks` are None where nobody is meant, or nobody by NIK.
    """

    agreement_id: str
    limits: Limits
    now: datetime
    marks: tuple[int | None, ...]
    niks: tuple[str | None, ...]


@dataclass(slots=True)
class OpenDay:
    """The locked rows of one day and what the requests weighed so far have changed.

    `known` are people asked about within memory, with the day on which they last were; `places` are those
    of everybody else who has a NIK. `seen` holds the blocks and districts of these places, and those
    beside. What is to be written is `used`, the people `new` (with their block) and asked `again`, and the
    walks `walked`.
    """

    day: date
    used: dict[str, Use]
    known: dict[int, date]
    places: Mapping[int, MarkedPlace]
    seen: Seen
    new: dict[int, int | None] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    walked: dict[int, Walk] = field(default_factory=dict)
    found: dict[tuple[str, Pattern], Level] = field(default_factory=dict)

    def weigh(self, ask: Ask, thresholds: Thresholds) -> Spent | Refusal:
        """The verdict about one request, which is counted with it."""
        newcomers = self._newcomers(ask.marks)
        changed = follow(self.seen, [self.places[mark] for mark in newcomers if mark in self.places])
        weighed = weigh(
            self.used[ask.agreement_id],
            ask.limits,
            ask.now,
            subjects=len(ask.marks),
            new_at=tuple(newcomers.values()),
            changed=changed,
            thresholds=thresholds,
        )
        self._keep(ask, weighed, newcomers, changed)
        return weighed.verdict

    def _newcomers(self, marks: Sequence[int | None]) -> dict[int, int]:
        """Those who are new, each with the first position at which they are named."""
        newcomers: dict[int, int] = {}
        for at, mark in enumerate(marks):
            if mark is not None and mark not in self.known:
                newcomers.setdefault(mark, at)
        return newcomers

    def _keep(self, ask: Ask, weighed: Weighed, newcomers: Mapping[int, int], changed: Seen) -> None:
        self.used[ask.agreement_id] = weighed.use
        for pattern, level in weighed.found.items():
            key = (ask.agreement_id, pattern)
            if self.found.get(key) is not Level.REFUSAL:
                self.found[key] = level
        if isinstance(weighed.verdict, Refusal):
            return
        self.again.update(mark for mark in ask.marks if mark in self.known and self.known[mark] < self.day)
        for mark in newcomers:
            place = self.places.get(mark)
            self.new[mark] = place.block if place else None
            self.known[mark] = self.day
        self.seen.blocks.update(changed.blocks)
        self.seen.walks.update(changed.walks)
        self.walked.update(changed.walks)
