"""Transformations: how a value becomes a safer value, or no value at all.

Each kind declares how much it discloses and is refused for a field whose ceiling is lower. Bad parameters
are refused when the agreement is loaded, so that what is left is pure, total and never fails on a value: what
does not have the declared type of its field becomes None, which is released as "absent".

A transformation MUST NOT disclose more than its level says, for any value whatever, short ones included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from policies import regions
from policies.ages import age_on
from policies.dictionary import Ceiling, Field, Value
from policies.errors import PolicyError
from policies.pseudonym import SectorKey, identifier_token
from policies.strict_yaml import advice
from policies.verdicts import compare_days, compare_numbers, compare_texts, pass_on

Claim = str
Leaving = str | int | bool | list[str] | None

_IDENTIFIER = re.compile(r"[0-9]{16}", re.ASCII)
_RANGE = re.compile(r"(0|[1-9][0-9]{0,8})(?:-(0|[1-9][0-9]{0,8})|\+)", re.ASCII)
_STARS = "********"
# The first six digits of a NIK or family-card number are a district; then come the birth date and the serial,
# which together with a birth date released elsewhere would give the whole number away.
_MOST_SHOWN_OF_IDENTIFIER = 6
_MOST_SHOWN_OF_TEXT = 4
_OUTSIDE = "other"
_TOP_AGE = 80
_USUAL_BAND_YEARS = 10
# Villages of some regencies; a whole nation has 84 000.
_CODES_KEPT = 4096
_NARROWEST_BAND_YEARS, _WIDEST_BAND_YEARS = 5, 40


class Occasion(NamedTuple):
    """What holds for a whole exchange: the day it is about, and the key of the consumer's sector."""

    on_date: date
    sector_key: SectorKey | None = None


Apply = Callable[[Value, Claim | None, Occasion], Leaving]


@dataclass(frozen=True, slots=True)
class Transformation:
    """One transformation of one field, compiled.

    `reads` is the field whose value `apply` takes, and `read_level` how much of that field it discloses: the
    field itself at `level`, except for an address, which is generalised to the region that it lies in.
    `of_type` is the type of the field that it was compiled for.
    """

    name: str
    of_type: str
    parameters: Mapping[str, Any]
    apply: Apply = field(repr=False, compare=False)
    level: Ceiling
    reads: str
    read_level: Ceiling
    needs_sector_key: bool = False

    def __str__(self) -> str:
        """How an agreement spells it, such as `generalise (to: regency)`."""
        told = "; ".join(
            f"{key}: {', '.join(value) if isinstance(value, list) else value}"
            for key, value in self.parameters.items()
        )
        return f"{self.name} ({told})" if told else self.name


def compile_transformation(field: Field, spec: object) -> Transformation:
    """The transformation that an agreement writes beside a field, such as `keep` or `{generalise: year}`.

    Raises PolicyError, whose one problem says what was expected, what was got and what to write, if the kind
    is unknown, does not suit the field's type, has bad parameters, or discloses more than the ceiling.
    """
    name, given = _spelled(spec)
    if name not in _KINDS:
        raise _refusal(f"one of {', '.join(_KINDS)}", f"{name!r}", advice(name, list(_KINDS)))
    compiled = _KINDS[name](field, given)
    if compiled.level > field.ceiling:
        raise _refusal(
            f"at most {_kinds_within(field.ceiling)}, because the ceiling of {field.name} is "
            f"{field.ceiling.name.lower()}",
            f"{name}, which releases {compiled.level.name.lower()}",
            f"`{field.name}: {'verdict' if field.ceiling is Ceiling.VERDICT else 'drop'}`",
        )
    return compiled


def exceeds_ceiling(transformation: Transformation, dictionary: Mapping[str, Field], name: str) -> bool:
    """Whether more would leave than the ceiling of the field, or of the field that is read for it, allows."""
    read = dictionary.get(transformation.reads)
    return (
        transformation.level > dictionary[name].ceiling
        or read is None
        or transformation.read_level > read.ceiling
    )


def _keep(field: Field, given: object) -> Transformation:
    _takes_nothing("keep", given)
    if field.type not in _KEEPERS:
        least = "verdict" if field.type == "verdict" else "drop"
        raise _refusal("a field with a value to keep", f"the type {field.type}", f"`{field.name}: {least}`")
    return _made(field, "keep", Ceiling.FULL, _KEEPERS[field.type])


def _drop(field: Field, given: object) -> Transformation:
    _takes_nothing("drop", given)
    return _made(field, "drop", Ceiling.NEVER, _nothing)


def _verdict(field: Field, given: object) -> Transformation:
    _takes_nothing("verdict", given)
    if field.type in {"words", "image"}:
        raise _refusal("a field with one plain value for a verdict", f"the type {field.type}", "`drop`")
    compare = _COMPARED.get(field.type, compare_texts)

    def apply(value: Value, claim: Claim | None, _occasion: Occasion) -> Leaving:
        return compare(value, claim)

    return _made(field, "verdict", Ceiling.VERDICT, apply)


def _mask(field: Field, given: object) -> Transformation:
    most = {"text": _MOST_SHOWN_OF_TEXT, "identifier": _MOST_SHOWN_OF_IDENTIFIER}.get(field.type, 0)
    if not most:
        raise _refusal("a text or identifier to mask", f"the type {field.type}", "`generalise` or `drop`")
    shown = given.get("show_first") if isinstance(given, Mapping) and set(given) == {"show_first"} else None
    if type(shown) is not int or not 0 <= shown <= most:
        raise _refusal(
            f"show_first from 0 to {most}", "something else", f"`mask: {{show_first: {min(1, most)}}}`"
        )
    masked = _masked_identifier if field.type == "identifier" else _masked_text
    return _made(field, "mask", Ceiling.REDUCED, masked(shown), {"show_first": shown})


def _masked_text(first: int) -> Apply:
    def apply(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
        if type(value) is not str or not value:
            return None
        # The stars have one length, and a value of which half would show is hidden whole.
        return value[:first] + _STARS if len(value) > 2 * first else _STARS

    return apply


def _masked_identifier(first: int) -> Apply:
    def apply(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
        if type(value) is not str or not value:
            return None
        # Of anything but 16 digits nobody knows what its beginning would give away.
        return value[:first] + _STARS if _IDENTIFIER.fullmatch(value) else _STARS

    return apply


def _pseudonym(field: Field, given: object) -> Transformation:
    _takes_nothing("pseudonym", given)
    if field.type != "identifier":
        raise _refusal(
            "an identifier to pseudonymise", f"the type {field.type}", "`mask`, `generalise` or `drop`"
        )

    def apply(value: Value, _claim: Claim | None, occasion: Occasion) -> Leaving:
        # Anything but 16 digits would give equal people different names, or hide nothing.
        if type(value) is not str or not _IDENTIFIER.fullmatch(value):
            return None
        if occasion.sector_key is None:
            raise ValueError("This plan pseudonymises an identifier, and no sector key was given.")
        return identifier_token(field.name, value, occasion.sector_key)

    return replace(_made(field, "pseudonym", Ceiling.REDUCED, apply), needs_sector_key=True)


def _generalise(field: Field, given: object) -> Transformation:
    classes = _CLASSES_OF_TYPE.get(field.type)
    if classes is None:
        raise _refusal(
            "a date, region or address to generalise", f"the type {field.type}", "`bucket` or `drop`"
        )
    parameters = (
        {"to": given} if isinstance(given, str) else dict(given) if isinstance(given, Mapping) else {}
    )
    to = parameters.get("to")
    if to not in classes:
        raise _refusal(f"one of {', '.join(classes)}", repr(to), f"`generalise: {classes[0]}`")
    unknown = [key for key in parameters if key != "to" and (key, to) != ("years", "age_band")]
    if unknown:
        raise _refusal("only `to`, and `years` for age_band", repr(unknown[0]), f"`generalise: {to}`")
    if field.type == "date":
        return _generalise_day(field, str(to), parameters.get("years", _USUAL_BAND_YEARS))
    # A region code goes no deeper than the village, so generalising to it keeps the whole of the code.
    of_region = Ceiling.FULL if to == "village" else Ceiling.REDUCED
    if field.type == "region":
        return _made(field, "generalise", of_region, _to_level(str(to)), {"to": to})
    made = _made(field, "generalise", Ceiling.REDUCED, _to_level(str(to)), {"to": to})
    return replace(made, reads="region", read_level=of_region)


def _generalise_day(field: Field, to: str, years: object) -> Transformation:
    if to == "year":
        return _made(field, "generalise", Ceiling.REDUCED, _year, {"to": to})
    if to == "year_month":
        return _made(field, "generalise", Ceiling.REDUCED, _year_month, {"to": to})
    if type(years) is not int or not _NARROWEST_BAND_YEARS <= years <= _WIDEST_BAND_YEARS:
        raise _refusal(
            f"bands of {_NARROWEST_BAND_YEARS} to {_WIDEST_BAND_YEARS} whole years",
            repr(years),
            f"`generalise: {{to: age_band, years: {_USUAL_BAND_YEARS}}}`",
        )
    return _made(field, "generalise", Ceiling.REDUCED, _age_band(years), {"to": to, "years": years})


def _bucket(field: Field, given: object) -> Transformation:
    if field.type != "number":
        raise _refusal("a number to put into ranges", f"the type {field.type}", "`generalise` or `drop`")
    ranges = _ranges(given)

    def apply(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
        if type(value) is not int:
            return None
        for lowest, highest, label in ranges:
            if lowest <= value and (highest is None or value <= highest):
                return label
        return _OUTSIDE

    labels = [label for _, _, label in ranges]
    return _made(field, "bucket", Ceiling.REDUCED, apply, {"ranges": labels})


def _ranges(given: object) -> list[tuple[int, int | None, str]]:
    """Ascending ranges without a gap, each of two values or more: a range of one would be the value."""
    write = '`bucket: ["1-2", "3-4", "5+"]`'
    if not isinstance(given, list | tuple) or not given:
        raise _refusal("a list of ranges", "something else", write)
    ranges: list[tuple[int, int | None, str]] = []
    for text in given:
        shape = _RANGE.fullmatch(text) if isinstance(text, str) else None
        if shape is None:
            raise _refusal('ranges such as "1-2", the last may be "5+"', repr(text), write)
        lowest, highest = int(shape[1]), int(shape[2]) if shape[2] else None
        if highest is not None and highest <= lowest:
            raise _refusal("ranges of at least two values, lowest first", repr(text), write)
        if ranges and ranges[-1][1] != lowest - 1:
            raise _refusal("each range to begin right after the one before", repr(text), write)
        ranges.append((lowest, highest, text))
    return ranges


def ranges_of(bucket: Transformation) -> list[tuple[int, int | None]]:
    """The ranges of a bucket, ascending and without a gap: lowest and highest number, None for no end."""
    return [(lowest, highest) for lowest, highest, _ in _ranges(bucket.parameters["ranges"])]


def _keep_text(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return value if type(value) is str else None


def _keep_number(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return value if type(value) is int else None


def _keep_day(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return value.isoformat() if type(value) is date else None


def _keep_words(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return list(value) if type(value) is tuple else None


def _nothing(_value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return None


def _year(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return f"{value.year:04}" if type(value) is date else None


def _year_month(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
    return f"{value.year:04}-{value.month:02}" if type(value) is date else None


def _age_band(years: int) -> Apply:
    # The very old are few: above this age the band stays open.
    top = _TOP_AGE // years * years

    def apply(value: Value, _claim: Claim | None, occasion: Occasion) -> Leaving:
        age = age_on(value, occasion.on_date) if type(value) is date else None
        if age is None:
            return None
        lowest = age // years * years
        return f"{lowest}-{lowest + years - 1}" if lowest < top else f"{top}+"

    return apply


def _to_level(level: str) -> Apply:
    @lru_cache(maxsize=_CODES_KEPT)
    def cut(code: str) -> str | None:
        # An undotted code has no levels to cut at; passing it on would release the village.
        return regions.at_level(code, level) if regions.is_region_code(code) else None

    def apply(value: Value, _claim: Claim | None, _occasion: Occasion) -> Leaving:
        return cut(value) if type(value) is str else None

    return apply


def _made(
    field: Field, name: str, level: Ceiling, apply: Apply, parameters: Mapping[str, Any] | None = None
) -> Transformation:
    told = MappingProxyType(dict(parameters or {}))
    return Transformation(name, field.type, told, apply, level, field.name, level)


def _spelled(spec: object) -> tuple[str, object]:
    if isinstance(spec, str):
        return spec, None
    if isinstance(spec, Mapping) and len(spec) == 1:
        name, given = next(iter(spec.items()))
        return str(name), given
    got = f"{len(spec)} of them" if isinstance(spec, Mapping) else "a list"
    raise _refusal("one transformation", got, "`keep`, or `{generalise: year}`")


def _takes_nothing(name: str, given: object) -> None:
    if given is not None:
        raise _refusal(f"{name} without parameters", "parameters", f"`{name}`")


def _kinds_within(ceiling: Ceiling) -> str:
    within = {
        Ceiling.NEVER: "drop",
        Ceiling.VERDICT: "verdict",
        Ceiling.REDUCED: "mask, generalise, bucket or pseudonym",
    }
    return within[ceiling]  # nothing exceeds FULL


def _refusal(expected: str, got: str, write: str) -> PolicyError:
    return PolicyError([f"expected {expected}, got {got}, write {write}"])


_KEEPERS: Mapping[str, Apply] = {
    "text": _keep_text,
    "word": _keep_text,
    "identifier": _keep_text,
    "region": _keep_text,
    "street": _keep_text,
    "number": _keep_number,
    "date": _keep_day,
    "words": _keep_words,
}
_COMPARED: Mapping[str, Callable[[Value, Claim | None], str]] = {
    "date": compare_days,
    "number": compare_numbers,
    "verdict": pass_on,
}
_CLASSES_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "date": ("year", "year_month", "age_band"),
    "region": regions.LEVELS,
    "street": tuple(reversed(regions.LEVELS)),
}
_KINDS: Mapping[str, Callable[[Field, object], Transformation]] = {
    "keep": _keep,
    "drop": _drop,
    "mask": _mask,
    "generalise": _generalise,
    "bucket": _bucket,
    "verdict": _verdict,
    "pseudonym": _pseudonym,
}
