"""The last days of the gateway's own log, decided anew under a version that does not count yet.

The log holds no values, so what is compared is whether each question is answered, and which fields leave in
which form (`policies.impact`). What is read are counts of questions by day, not the questions: a million of
them have few shapes. It MUST NOT write anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.agreements.books import Books, both_books
from gateway.agreements.lifecycle import Version
from gateway.agreements.reading import PolicyReader
from gateway.audit.evidence import ALL_FIELDS
from gateway.audit.shapes import Counted, shapes_since
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.oauth.consumers import ConsumerStore
from policies.decide import ConsumerTerms
from policies.impact import Impact, Shape, impact

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a version would have changed for the questions of the civil days `first` to `last` (WIB).

    Both sides were decided for the day `decided_for`. `left_out` exchanges are of consumers that may not call
    now: nothing would be answered to them either way. `of_its_consumer` exchanges are what an agreement's
    consumer asked for its purpose; None for other kinds, which bear upon many. `names` are the
    consumers' names by id.
    """

    books: Books
    first: date
    last: date
    decided_for: date
    exchanges: int
    left_out: int
    of_its_consumer: int | None
    impact: Impact
    names: Mapping[str, str]


class Replay:
    """Replays the log of one database. Blocks; use it in a thread."""

    def __init__(self, database: Database, consumers: ConsumerStore, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._consumers = consumers
        self._clock = clock
        self._reader = PolicyReader()

    def __call__(self, version: Version, days: int) -> Replayed:
        """What `version` would change for the questions of the last `days` civil days, today's among them.

        Raises DoesNotLoad, StoreUnavailable.
        """
        today = civil_day(self._clock())
        first = today - timedelta(days=days - 1)
        active = {one.consumer.id: one.consumer for one in self._consumers.list() if one.active}
        terms = {id_: ConsumerTerms(id_, one.sector, frozenset(one.regions)) for id_, one in active.items()}
        with self._database.reading() as connection:
            books = both_books(connection, self._reader, version)
            counted = list(shapes_since(connection, first))
        decided_for = books.first_day(today)
        found = impact(_asked(counted, terms), books.before, books.after, decided_for)
        exchanges = sum(one.exchanges for one in counted)
        return Replayed(
            books,
            first,
            today,
            decided_for,
            exchanges,
            exchanges - sum(one.exchanges for one in found.by_consumer.values()),
            _of_its_consumer(version, books, counted),
            found,
            {id_: one.name for id_, one in active.items()},
        )


def _of_its_consumer(version: Version, books: Books, counted: Iterable[Counted]) -> int | None:
    if version.kind != "agreement":
        return None
    own = next(one for one in books.after.agreements if one.id == version.name)
    shapes = ((one.shape["consumer"], one.shape["purpose"], one.exchanges) for one in counted)
    return sum(
        many for consumer, purpose, many in shapes if (consumer, purpose) == (own.consumer, own.purpose)
    )


def _asked(
    counted: Iterable[Counted], terms: Mapping[str, ConsumerTerms]
) -> Iterator[tuple[Shape, int, Sequence[str]]]:
    """The questions of those who may call, as `policies.impact` takes them."""
    for one in counted:
        said = one.shape
        consumer = terms.get(said["consumer"])
        if consumer is None:
            continue
        shape = Shape(
            consumer,
            said["operation"],
            said["purpose"] or "",  # a word that the policies did not know: they will not know this one
            said["programme"],
            None if said["asked"] == ALL_FIELDS else tuple(said["asked"]),
            said["subject_count"],
            frozenset(said["unavailable"]),
        )
        yield shape, one.exchanges, one.samples
