"""The plan of an exchange: an agreement compiled for one kind of request.

It says which fields to fetch, whom the answer may be about, what leaves in which form, and what is withheld
by which clause. `release` knows nothing else, so that nothing can leave that a plan does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from policies.agreement import Agreement
from policies.bounds import Scope
from policies.conditions import ProgrammeRule, inputs
from policies.dictionary import Ceiling, Field, Text, Value
from policies.regions import covered
from policies.strict_yaml import NAME
from policies.transforms import Apply, Transformation, exceeds_ceiling

# What a caller sends as a field's name may be anything, a national id included; only names are repeated.
UNREADABLE_NAME = "?"
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Output:
    """A field that leaves. `reads` is the field fetched for it; `apply` is the transformation's function."""

    name: str
    field: Field
    transformation: Transformation
    reads: str
    apply: Apply


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field that was asked for, or is named by the agreement, and does not leave.

    `by_text` is what the texts alone say: dropped_by_agreement, not_in_agreement, above_ceiling or
    unknown_field. `code` is the same, or `narrowed` where the version before released the field: cases, which
    say what a text means, know nothing of the one before.
    """

    field: str
    by_text: str
    clause: Text
    ask_for: Text
    narrowed: bool = False

    @property
    def code(self) -> str:
        """The stable code that the consumer is told."""
        return "narrowed" if self.narrowed else self.by_text


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that an exchange may do.

    `scope` is what agreement and consumer have in common. `needs` are the fields to fetch: for outputs, rule
    and scope.
    """

    agreement: Agreement
    scope: Scope
    needs: frozenset[str]
    outputs: tuple[Output, ...]
    withheld: tuple[Withheld, ...]
    rule: ProgrammeRule | None
    reasons: bool
    pseudonym_sector: str | None
    on_source_failure: str
    last_known_max_age_days: int | None
    # Of each output the name, what it reads and the function: what a release walks over for every person.
    steps: tuple[tuple[str, str, Apply], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = tuple((output.name, output.reads, output.apply) for output in self.outputs)
        object.__setattr__(self, "steps", steps)


@dataclass(frozen=True, slots=True)
class Permit:
    """The request is covered; `plan` says by what and how far."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Deny:
    """The request is not covered. `code` is stable; `remedy` says what to ask for, and whom."""

    code: str
    detail: Text
    remedy: Text


def in_scope(plan: Plan, values: Mapping[str, Value]) -> bool:
    """Whether the answer may be about this person. Where scope has a bound, not knowing means outside."""
    scope = plan.scope
    if scope.regions is not None and not covered(values.get("region"), scope.regions):
        return False
    if scope.enrolled_in is None:
        return True
    enrolments = values.get("enrolments")
    return type(enrolments) is tuple and not scope.enrolled_in.isdisjoint(enrolments)


def compile_plan(
    agreement: Agreement,
    dictionary: Mapping[str, Field],
    asked: tuple[str, ...] | None,
    rule: ProgrammeRule | None,
    regions: frozenset[str] | None,
) -> Plan:
    """The plan for the fields asked, or if `asked` is None for all that the agreement names.

    Whoever asks for all is also told what it no longer gets.
    """
    names = dict.fromkeys((*agreement.fields, *agreement.withdrawn) if asked is None else asked)
    withheld = [entry for name in names if (entry := _withheld(agreement, dictionary, name)) is not None]
    outputs = tuple(_outputs(agreement, dictionary, names))
    scope = Scope(regions, agreement.scope.enrolled_in)
    return Plan(
        agreement=agreement,
        scope=scope,
        needs=frozenset(output.reads for output in outputs)
        | (inputs(rule) if rule is not None else frozenset())
        | (frozenset({"region"}) if scope.regions is not None else frozenset())
        | (frozenset({"enrolments"}) if scope.enrolled_in is not None else frozenset()),
        outputs=outputs,
        withheld=tuple(withheld),
        rule=rule,
        reasons=agreement.reasons,
        pseudonym_sector=agreement.pseudonym_sector,
        on_source_failure=agreement.on_source_failure,
        last_known_max_age_days=agreement.last_known_max_age_days,
    )


def released_fields(agreement: Agreement, dictionary: Mapping[str, Field]) -> dict[str, Transformation]:
    """Every field that can leave under an agreement, in its form: what neither it nor a ceiling withholds."""
    return {
        name: transformation
        for name, transformation in agreement.fields.items()
        if _withheld(agreement, dictionary, name) is None
    }


def withheld_by_text(plan: Plan, asked: tuple[str, ...] | None) -> dict[str, str]:
    """What is withheld of a request as a case of the agreement says it: by its text alone.

    Of a request for all that the text names, nothing is said of what only the version before named.
    """
    return {
        entry.field: entry.by_text
        for entry in plan.withheld
        if asked is not None or entry.field in plan.agreement.fields
    }


def withdrawn_fields(old: Agreement, new: Agreement, dictionary: Mapping[str, Field]) -> dict[str, int]:
    """What `new` no longer releases of what `old` did, with the number of `old`.

    Empty where the two are not of one consumer and one purpose: what another got is nobody else's business.
    """
    if (old.consumer, old.purpose) != (new.consumer, new.purpose):
        return {}
    left = released_fields(new, dictionary)
    return {name: old.version for name in released_fields(old, dictionary) if name not in left}


def _outputs(agreement: Agreement, dictionary: Mapping[str, Field], names: Iterable[str]) -> Iterable[Output]:
    for name in names:
        if _withheld(agreement, dictionary, name) is None:
            transformation = agreement.fields[name]
            yield Output(name, dictionary[name], transformation, transformation.reads, transformation.apply)


def _withheld(agreement: Agreement, dictionary: Mapping[str, Field], name: str) -> Withheld | None:
    """Why a field does not leave, or None if it does. What no line below lets through is withheld."""
    field = dictionary.get(name)
    if field is None:
        readable = name if len(name) <= _LONGEST_NAME and NAME.fullmatch(name) else UNREADABLE_NAME
        return Withheld(readable, "unknown_field", *_UNKNOWN_FIELD)
    transformation = agreement.fields.get(name)
    # The loader refuses what exceeds a ceiling; it is checked again because the ceiling always wins.
    if field.ceiling is Ceiling.NEVER or (
        transformation is not None and exceeds_ceiling(transformation, dictionary, name)
    ):
        return Withheld(name, "above_ceiling", *_ceiling_text(field))
    if transformation is None:
        withheld = Withheld(name, "not_in_agreement", *_absent_text(agreement))
    elif transformation.name == "drop" or transformation.level is Ceiling.NEVER:
        withheld = Withheld(name, "dropped_by_agreement", *_dropped_text(agreement, name))
    else:
        return None
    if name not in agreement.withdrawn:
        return withheld
    return replace(withheld, clause=_withdrawn_text(agreement, name), narrowed=True)


_UNKNOWN_FIELD = (
    Text("Kamus data tidak memuat elemen ini.", "The data dictionary has no such field."),
    Text(
        "Pilih elemen dari kamus data (fields.yaml).", "Choose a field of the data dictionary (fields.yaml)."
    ),
)


def _ceiling_text(field: Field) -> tuple[Text, Text]:
    ceiling = field.ceiling.name.lower()
    return (
        Text(
            f"Kamus data menetapkan batas `{ceiling}` untuk {field.label.id}, di atas setiap perjanjian.",
            f"The data dictionary sets the ceiling `{ceiling}` for {field.label.en}, above every agreement.",
        ),
        Text(
            "Tidak ada perjanjian yang dapat membukanya; gunakan hasil pencocokan bila tersedia.",
            "No agreement can release it; use a verdict where there is one.",
        ),
    )


def _absent_text(agreement: Agreement) -> tuple[Text, Text]:
    return (
        Text(
            f"{agreement.cited.id}, klausul `fields`, tidak memuat elemen ini.",
            f"{agreement.cited.en}, clause `fields`, does not name this field.",
        ),
        _amendment(agreement),
    )


def _dropped_text(agreement: Agreement, name: str) -> tuple[Text, Text]:
    return (
        Text(
            f"{agreement.cited.id}, klausul `fields.{name}: drop`, menahan elemen ini.",
            f"{agreement.cited.en}, clause `fields.{name}: drop`, withholds this field.",
        ),
        _amendment(agreement),
    )


def _withdrawn_text(agreement: Agreement, name: str) -> Text:
    before = agreement.withdrawn[name]
    return Text(
        f"{agreement.cited.id}, klausul `fields`, menarik elemen ini, yang masih diberikan versi {before}.",
        f"{agreement.cited.en}, clause `fields`, withdrew this field, which version {before} still released.",
    )


def _amendment(agreement: Agreement) -> Text:
    number = agreement.documents.get("pks", agreement.id)
    return Text(
        f"Ajukan addendum atas {number} kepada Pusdatin, dengan alasan elemen ini diperlukan.",
        f"Ask Pusdatin for an amendment of {number} that says why this field is needed.",
    )
