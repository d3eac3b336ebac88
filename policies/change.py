"""What differs between two versions of an agreement: clause by clause, wider or narrower, and in words.

A change that only narrows may take effect by one person; everything else needs a second. So the direction is
computed, and in doubt it is wider: what is not comparable is wider, and so is the whole change as soon as
one clause is. A clause that lets nothing more or less out (title, legal basis, documents) is neutral; it is
still something that both parties signed, so that only a change of which every clause narrows is a narrowing.

Forms of a field are compared for all of its values. That the scope leaves but one of them, or that the
reasons of a rule tell the same, is not counted as knowing the field. And silence is no clause: who falls out
of a scope that narrows is answered as if unknown, as ever. The life cycle's state and the version number are
not compared; they are not what an agreement says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from policies import wording
from policies.agreement import Agreement
from policies.conditions import ProgrammeRule
from policies.dictionary import Field, Text
from policies.plan import released_fields
from policies.regions import covered
from policies.revealing import reveals_at_most
from policies.transforms import Transformation

Way = Literal["wider", "narrower", "neutral"]
Direction = Literal["unchanged", "narrowing", "widening"]


@dataclass(frozen=True, slots=True)
class Item:
    """One clause that differs. `path` is where it stands, such as `fields.birth_date`."""

    path: str
    way: Way
    words: Text


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that differs, in the order in which a lawyer reads an agreement."""

    items: tuple[Item, ...]

    @property
    def direction(self) -> Direction:
        """Whether one person may let it take effect: only if it narrows, in every clause."""
        if not self.items:
            return "unchanged"
        return "narrowing" if all(item.way == "narrower" for item in self.items) else "widening"

    @property
    def lets_more_out(self) -> bool:
        """Whether some request about some person may get more than it got."""
        return any(item.way == "wider" for item in self.items)


def compare(
    old: Agreement | None,
    new: Agreement,
    dictionary: Mapping[str, Field],
    programmes: Mapping[str, ProgrammeRule],
    consumer: str,
) -> Change:
    """How `new` differs from `old`, the version that it would replace; None if there is none.

    `consumer` is the name by which the sentences call the new version's consumer. Both agreements MUST have
    been read with this dictionary and these programmes: how those changed is compared by `rule_change`.
    """
    between = _Between(old, new, dictionary, programmes, consumer)
    return Change(tuple(between.items()))


@dataclass(frozen=True, slots=True)
class _Between:
    """The two versions, and what their clauses are told with."""

    old: Agreement | None
    new: Agreement
    dictionary: Mapping[str, Field]
    programmes: Mapping[str, ProgrammeRule]
    consumer: str

    def items(self) -> Iterator[Item]:
        """Every clause that differs. Without an older version, what the new one opens."""
        old, new = self.old, self.new
        if old is None:
            yield self._opened()
        else:
            yield from self._parties(old)
            yield from self._validity(old)
        yield from self._operations()
        yield from self._programmes()
        if old is not None:
            yield from self._regions(old)
            yield from self._enrolled_in(old)
            yield from self._amounts(old)
            # Not even `none` is below a sector: it opens the agreement to consumers of any other.
            yield from self._other("pseudonym_sector", old.pseudonym_sector, new.pseudonym_sector)
        yield from self._reasons()
        if old is not None:
            yield from self._failure(old)
        yield from self._delay()
        yield from self._translation()
        yield from self._fields()
        if old is not None:
            yield from self._bases(old)

    def _opened(self) -> Item:
        new = self.new
        where = wording.EVERYWHERE if new.scope.regions is None else _codes(new.scope.regions)
        who = wording.ANYONE if new.scope.enrolled_in is None else _members(new.scope.enrolled_in)
        what = Text(
            f"perjanjian dengan tujuan {new.purpose}, {new.valid_from} sampai {new.valid_until}, "
            f"tentang {who.id}, {where.id}",
            f"an agreement for the purpose {new.purpose}, {new.valid_from} to {new.valid_until}, "
            f"about {who.en}, {where.en}",
        )
        return Item("agreement", "wider", wording.gains(self.consumer, what))

    def _parties(self, old: Agreement) -> Iterator[Item]:
        new = self.new
        yield from self._other("consumer", old.consumer, new.consumer)
        yield from self._other("purpose", old.purpose, new.purpose)
        yield from self._other("title", old.title, new.title, way="neutral")
        basis, was = ("; ".join(each.legal_basis) for each in (new, old))
        yield from self._other("legal_basis", was, basis, way="neutral")
        for kind in dict.fromkeys([*new.documents, *old.documents]):
            before, after = old.documents.get(kind), new.documents.get(kind)
            yield from self._other(f"documents.{kind}", before, after, way="neutral")

    def _validity(self, old: Agreement) -> Iterator[Item]:
        new = self.new
        yield from self._measured(
            "valid_from", old.valid_from, new.valid_from, wider=new.valid_from < old.valid_from
        )
        yield from self._measured(
            "valid_until", old.valid_until, new.valid_until, wider=new.valid_until > old.valid_until
        )

    def _operations(self) -> Iterator[Item]:
        before = self.old.operations if self.old is not None else ()
        for name in _added(before, self.new.operations):
            yield self._gain("operations", wording.OPERATIONS[name])
        for name in _added(self.new.operations, before):
            yield self._loss("operations", wording.OPERATIONS[name])

    def _programmes(self) -> Iterator[Item]:
        before = self.old.programmes if self.old is not None else ()
        for name in _added(before, self.new.programmes):
            yield self._gain("programmes", self._questions_about(name))
        for name in _added(self.new.programmes, before):
            yield self._loss("programmes", self._questions_about(name))

    def _regions(self, old: Agreement) -> Iterator[Item]:
        before, after = old.scope.regions, self.new.scope.regions
        if before is not None and (more := _beyond(after, before)):
            yield self._gain("scope.regions", wording.EVERYWHERE if after is None else _codes(more))
        if after is not None and (less := _beyond(before, after)):
            lost = wording.EVERYWHERE if before is None else _codes(less)
            left = after if before is None else frozenset(code for code in after if covered(code, less))
            yield self._loss("scope.regions", wording.kept_only(lost, _codes(left)) if left else lost)

    def _enrolled_in(self, old: Agreement) -> Iterator[Item]:
        before, after = old.scope.enrolled_in, self.new.scope.enrolled_in
        if before is not None and (after is None or after - before):
            yield self._gain(
                "scope.enrolled_in", wording.ANYONE if after is None else _members(after - before)
            )
        if after is not None and before is None:
            yield self._loss("scope.enrolled_in", wording.kept_only(wording.OTHERS, _members(after)))
        elif after is not None and before is not None and before - after:
            yield self._loss("scope.enrolled_in", _members(before - after))

    def _amounts(self, old: Agreement) -> Iterator[Item]:
        new = self.new
        amounts = {
            "subjects_per_request": (old.subjects_per_request, new.subjects_per_request),
            "limits.requests_per_minute": (old.limits.requests_per_minute, new.limits.requests_per_minute),
            "limits.subjects_per_day": (old.limits.subjects_per_day, new.limits.subjects_per_day),
            "limits.new_people_per_day": (old.limits.new_people_per_day, new.limits.new_people_per_day),
        }
        for path, (before, after) in amounts.items():
            yield from self._measured(path, before, after, wider=after > before)

    def _reasons(self) -> Iterator[Item]:
        before = self.old is not None and self.old.reasons
        if self.new.reasons and not before:
            yield self._gain("reasons", wording.REASONS)
        elif before and not self.new.reasons:
            yield self._loss("reasons", wording.REASONS)

    def _failure(self, old: Agreement) -> Iterator[Item]:
        new = self.new
        yield from self._measured(
            "on_source_failure",
            old.on_source_failure,
            new.on_source_failure,
            wider=new.on_source_failure == "partial",
        )
        before, after = old.last_known_max_age_days, new.last_known_max_age_days
        wider = after is not None and (before is None or after > before)
        yield from self._measured("last_known_max_age_days", before, after, wider=wider)

    def _delay(self) -> Iterator[Item]:
        """A longer delay hides more from the people concerned: wider, though the consumer gets no more."""
        before = self.old.disclosure_delay if self.old is not None else None
        after = self.new.disclosure_delay
        days, was = (0 if each is None else each.days for each in (after, before))
        yield from self._measured("disclosure_delay.days", was, days, wider=days > was)
        if before is not None and after is not None:
            basis = "disclosure_delay.legal_basis"
            yield from self._other(basis, before.legal_basis, after.legal_basis)

    def _translation(self) -> Iterator[Item]:
        """Another sector or purpose is wider whatever it was before: others learn of the same people."""
        before = self.old.translation if self.old is not None else None
        after = self.new.translation
        if before != after and after is not None:
            yield self._gain("translation", wording.translations(after.to_sector, after.purpose))
        elif before != after and before is not None:
            yield self._loss("translation", wording.translations(before.to_sector, before.purpose))

    def _fields(self) -> Iterator[Item]:
        old = {} if self.old is None else released_fields(self.old, self.dictionary)
        new = released_fields(self.new, self.dictionary)
        named = self.old.fields if self.old is not None else {}
        for name in dict.fromkeys([*self.new.fields, *named]):
            item = self._field(name, old, new)
            if item is not None:
                yield item

    def _field(
        self, name: str, old: Mapping[str, Transformation], new: Mapping[str, Transformation]
    ) -> Item | None:
        path, field = f"fields.{name}", self.dictionary[name]
        before, after = old.get(name), new.get(name)
        if before == after:
            return self._withheld_as_before(name) if after is None else None
        if after is not None and not _known_from(after, old.values()):
            return self._gain(path, wording.field_in_form(field, after, before))
        if after is None:
            return self._loss(path, field.label)
        if before is None or _known_from(before, new.values()):
            return Item(path, "neutral", wording.worked_out(self.consumer, field, after))
        return self._loss(path, wording.kept_only(field.label, wording.form_of(after)))

    def _withheld_as_before(self, name: str) -> Item | None:
        before, after = self.old is not None and name in self.old.fields, name in self.new.fields
        if self.old is None or before == after:
            return None
        words = wording.still_withheld(self.consumer, self.dictionary[name].label, named=after)
        return Item(f"fields.{name}", "neutral", words)

    def _bases(self, old: Agreement) -> Iterator[Item]:
        """On which basis a field rests: what leaves stays the same."""
        for name in dict.fromkeys([*self.new.field_basis, *old.field_basis]):
            before, after = old.field_basis.get(name), self.new.field_basis.get(name)
            if before != after:
                clause, all_ = wording.basis_of(self.dictionary[name].label), wording.ALL_BASES
                told = [all_ if basis is None else wording.plain(basis) for basis in (after, before)]
                words = wording.becomes(self.consumer, clause, *told)
                yield Item(f"field_basis.{name}", "neutral", words)

    def _questions_about(self, programme: str) -> Text:
        rule = self.programmes.get(programme)
        title = rule.title if rule is not None else Text(programme, programme)
        return Text(
            f"pertanyaan tentang {programme} ({title.id})", f"questions about {programme} ({title.en})"
        )

    def _gain(self, path: str, what: Text) -> Item:
        return Item(path, "wider", wording.gains(self.consumer, what))

    def _loss(self, path: str, what: Text) -> Item:
        return Item(path, "narrower", wording.loses(self.consumer, what))

    def _measured(
        self, path: str, before: date | int | str | None, after: date | int | str | None, *, wider: bool
    ) -> Iterator[Item]:
        """A clause of which one value allows more than another."""
        if before != after:
            words = wording.becomes(
                self.consumer, wording.CLAUSES[path], wording.plain(after), wording.plain(before)
            )
            yield Item(path, "wider" if wider else "narrower", words)

    def _other(
        self, path: str, before: str | Text | None, after: str | Text | None, *, way: Way = "wider"
    ) -> Iterator[Item]:
        """A clause of which no value allows more than another: any other lets out what the old did not."""
        if before != after:
            told = [value if isinstance(value, Text) else wording.plain(value) for value in (after, before)]
            kind = path.removeprefix("documents.")
            clause = wording.CLAUSES.get(path, Text(f"dokumen {kind}", f"the document {kind}"))
            yield Item(path, way, wording.becomes(self.consumer, clause, *told))


def _known_from(made: Transformation, others: Iterable[Transformation]) -> bool:
    return any(reveals_at_most(made, other) for other in others)


def _added(before: Iterable[str], after: Iterable[str]) -> list[str]:
    known = frozenset(before)
    return [name for name in after if name not in known]


def _beyond(regions: frozenset[str] | None, others: frozenset[str]) -> frozenset[str]:
    """The regions that the others do not cover; None is the whole country, told by an empty code."""
    if regions is None:
        return frozenset({""})
    return frozenset(code for code in regions if not covered(code, others))


def _codes(codes: frozenset[str]) -> Text:
    return wording.regions(sorted(codes))


def _members(programmes: frozenset[str]) -> Text:
    return wording.members(sorted(programmes))
