"""The kinds of findings in words. Said once: results, tables, exports and the API take them from here."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.reconciliation.statuses import MEANINGS, Status
from policies.dictionary import Text

DIFFERENCES = "differences"
ENROLLED_BUT_DECEASED = "enrolled_but_deceased"
DUPLICATE_NIK = "duplicate_nik"
SAME_PERSON = "same_person_several_niks"
LIKELY_PERSON = "likely_person"

# Every status but these is a finding of its own name.
_NO_FINDINGS = frozenset({Status.MATCHED, Status.MATCHED_WITH_DIFFERENCES, Status.NOT_CHECKED})
KINDS: Mapping[str, Text] = {
    **{status.value: MEANINGS[status].label for status in Status if status not in _NO_FINDINGS},
    DIFFERENCES: Text("ada elemen yang berbeda", "elements differ"),
    ENROLLED_BUT_DECEASED: Text("meninggal tetapi masih peserta program", "deceased, and still enrolled"),
    DUPLICATE_NIK: Text("NIK dipakai beberapa orang", "one NIK on several people"),
    SAME_PERSON: Text("satu orang dengan beberapa NIK", "one person under several NIKs"),
    LIKELY_PERSON: Text("ada orang yang mungkin sama", "there is a likely person"),
}


def kind_of(status: Status) -> str | None:
    """The finding that a status by itself is; None where a regency has nothing to look into."""
    if status is Status.MATCHED_WITH_DIFFERENCES:
        return DIFFERENCES
    return None if status in _NO_FINDINGS else status.value
