"""The record of processing of UU 27/2022 art. 31, one per agreement: what its text says and the log counted.

It is generated whenever it is asked for, and therefore never out of date. What the text does not say and the
log does not know is not made up here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gateway.civil_day import civil_day, day_begins
from gateway.database import Database
from gateway.errors import BadInput
from gateway.rights.reading import read_entries
from policies.agreement import Agreement
from policies.dictionary import Field, Text
from policies.plan import released_fields


@dataclass(frozen=True, slots=True)
class Span:
    """Civil days (WIB), both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise BadInput(
                Text(
                    "Diharapkan hari pertama yang tidak sesudah hari terakhir.",
                    "Expected a first day that is not after the last.",
                )
            )

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The first moment of it, and the first after it."""
        return day_begins(self.first), day_begins(self.last + timedelta(days=1))


def record_of_processing(
    database: Database,
    agreement: Agreement,
    dictionary: Mapping[str, Field],
    recipient: str,
    span: Span,
    now: datetime,
) -> dict[str, Any]:
    """The record of one agreement, with its volume by month. Blocks: reads the consumer's exchanges."""
    scope, delay = agreement.scope, agreement.disclosure_delay
    return {
        "gapura_record_of_processing": 1,
        "made_at": now.isoformat(timespec="seconds"),
        "controller": "Kementerian Sosial, Pusat Data dan Informasi Kesejahteraan Sosial",
        "recipient": {"id": agreement.consumer, "name": recipient},
        "agreement": {
            "id": agreement.id,
            "version": agreement.version,
            "sha256": agreement.sha256,
            "title": {"id": agreement.title.id, "en": agreement.title.en},
            "standing": agreement.standing(civil_day(now)),
            "documents": dict(agreement.documents),
            "valid_from": agreement.valid_from.isoformat(),
            "valid_until": agreement.valid_until.isoformat(),
        },
        "purpose": agreement.purpose,
        "legal_basis": list(agreement.legal_basis),
        "operations": list(agreement.operations),
        "programmes": list(agreement.programmes),
        "data_subjects": {
            "regions": None if scope.regions is None else sorted(scope.regions),
            "enrolled_in": None if scope.enrolled_in is None else sorted(scope.enrolled_in),
        },
        "fields": [
            {
                "name": name,
                "label": {"id": dictionary[name].label.id, "en": dictionary[name].label.en},
                "sensitivity": dictionary[name].sensitivity,
                "source": dictionary[name].source,
                "released_as": str(how),
            }
            for name, how in released_fields(agreement, dictionary).items()
        ],
        "disclosure_delay": delay and {"days": delay.days, "legal_basis": delay.legal_basis},
        "retention": {
            "id": "Gapura tidak menyimpan isi jawaban. Log audit (tanpa nilai pribadi) disimpan; pengenalnya "
            "dapat dihapus atas perintah.",
            "en": "Gapura keeps no answers. The audit log (without personal values) is kept; by whom it "
            "knows people can be erased under an order.",
        },
        "span": {"first": span.first.isoformat(), "last": span.last.isoformat()},
        "volume": _volume(database, agreement, span),
    }


def _volume(database: Database, agreement: Agreement, span: Span) -> list[dict[str, Any]]:
    """By month (WIB): exchanges that were answered or refused, people asked about, and how those ended."""
    exchanges: defaultdict[str, Counter[str]] = defaultdict(Counter)
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with database.reading() as connection:
        for entry in read_entries(connection, *span.moments, agreement.consumer):
            month = f"{civil_day(entry.at):%Y-%m}"
            said = entry.said
            if said is None:
                exchanges[month]["erased"] += 1
            elif said.get("agreement", {}).get("id") == agreement.id and not said.get("sandbox"):
                exchanges[month][said["outcome"]] += 1
                outcomes[month].update(said.get("counts", {}))
    return [
        {
            "month": month,
            "exchanges": dict(sorted(exchanges[month].items())),
            "people": sum(outcomes[month].values()),
            "outcomes": dict(sorted(outcomes[month].items())),
        }
        for month in sorted(exchanges)
    ]
