"""Which of two transformations reveals more: a partial order, so that "narrower" is computed and not felt.

One transformation reveals at most what another does if, for every value and claim, whoever holds what leaves
under the other can work out what leaves under the one: it is a function of it, of the caller's own claim and
of the day that the answer is about. What is not comparable is neither; whoever asks whether a change narrows
MUST take it for a widening.

    keep                  above every form of the same field, but a pseudonym
    generalise            year below year_month; regency below district; bands of 20 years below bands of 10
    bucket                below ranges that divide its own further
    mask                  of an identifier: by the digits shown. Of a text only the mask that shows nothing is
                          below another, for a mask that shows more also hides more of the short values whole
    verdict, pseudonym    below keep, and below nothing, respectively: no other form holds the claim's answer,
                          and none holds the sector's key
    drop                  below everything
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policies.regions import LEVELS
from policies.transforms import Transformation, ranges_of


def reveals_at_most(narrow: Transformation, wide: Transformation) -> bool:
    """Whether what leaves under `narrow` can be worked out from what leaves under `wide`.

    Reflexive, transitive, and antisymmetric up to what is written: two that reveal the same are the same
    transformation of the same value. What is read counts, not the name under which it leaves: an address
    generalised to its regency is a form of the region.
    """
    if narrow.name == "drop":
        return True
    if narrow.reads != wide.reads:
        return False
    if wide.name == "keep":
        return narrow.name != "pseudonym"
    if narrow.name != wide.name:
        return False
    return _WITHIN_KIND[narrow.name](narrow, wide) if narrow.name in _WITHIN_KIND else narrow == wide


def _mask(narrow: Transformation, wide: Transformation) -> bool:
    less: int = narrow.parameters["show_first"]
    more: int = wide.parameters["show_first"]
    return less in {0, more} or (narrow.of_type == "identifier" and less < more)


def _generalise(narrow: Transformation, wide: Transformation) -> bool:
    to, finer = narrow.parameters["to"], wide.parameters["to"]
    if to in LEVELS:
        return LEVELS.index(to) <= LEVELS.index(finer)
    if to == finer == "age_band":
        # The last, open band of either begins at the highest multiple of its years up to the same age.
        return bool(narrow.parameters["years"] % wide.parameters["years"] == 0)
    return to == finer or (to, finer) == ("year", "year_month")


def _bucket(narrow: Transformation, wide: Transformation) -> bool:
    """Whether each class of `wide`, with the one outside its ranges, lies within one class of `narrow`."""
    coarse, fine = ranges_of(narrow), ranges_of(wide)
    inside = all(_one_class(coarse, lowest, highest) for lowest, highest in fine)
    # Numbers below the first range and above the last are one class, which can only lie outside `narrow`'s.
    below = coarse[0][0] >= fine[0][0]
    last_coarse, last_fine = coarse[-1][1], fine[-1][1]
    above = last_fine is None or (last_coarse is not None and last_coarse <= last_fine)
    return inside and below and above


def _one_class(ranges: list[tuple[int, int | None]], lowest: int, highest: int | None) -> bool:
    """Whether the numbers from `lowest` to `highest` (None: no end) lie in one range, or outside all."""
    first, last = ranges[0][0], ranges[-1][1]
    if last is not None and lowest > last:
        return True
    if highest is not None and highest < first:
        return True
    return any(
        begin <= lowest and (end is None or (highest is not None and highest <= end)) for begin, end in ranges
    )


_WITHIN_KIND: Mapping[str, Callable[[Transformation, Transformation], bool]] = {
    "mask": _mask,
    "generalise": _generalise,
    "bucket": _bucket,
}
