"""What one process counts as it happens, in Prometheus' terms.

Labels come from closed lists: routes and operations of this code, fields of the dictionary, sources of the
configuration, codes. No label MUST ever take what a caller sent. A request costs a few additions and nothing
else; what has to be looked up is looked up when somebody scrapes (`looked_up`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from connectors.transport.observed import SourceState
from gateway.telemetry.log import EVENTS

_PHASE_NUMBERS = {"closed": 0.0, "half_open": 0.5, "open": 1.0}
_SOURCE_GAUGES = {
    "reachable": "1 if the source answered last, 0 if not.",
    "breaker_open": "0 closed, 0.5 half open, 1 open.",
    "latency_seconds": "Moving average of good answers, seconds.",
    "quota_left": "Calls left today, over all processes.",
}
_SOURCE_COUNTERS = {
    "questions": "Questions to the source.",
    "attempts": "What really went to the source.",
    "retries": "Attempts beyond the first.",
    "refused": "Questions that the breaker spared the source.",
    "coalesced": "Questions that shared another's answer.",
}
_SERIES_KEPT = 4096


class Counted:
    """The counters of one process; `registry` holds them all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "HTTP requests.", "method", "route", "status")
        self._seconds = Histogram(
            "gapura_request_seconds", "Time to answer, seconds.", ["route"], registry=self.registry
        )
        self._outcomes = self._counter("outcomes", "Subjects by outcome.", "operation", "outcome")
        self._refusals = self._counter("refusals", "Exchanges refused, by reason.", "reason")
        self._withheld = self._counter(
            "withheld_fields", "Fields that answers withheld, by why.", "operation", "reason"
        )
        self._unavailable = self._counter(
            "unavailable_fields", "Answers in which no source could say this field of somebody.", "field"
        )
        self._events = self._counter("events", "Events of the log, of warnings and errors alone.", "event")
        for name in EVENTS:
            self._events.labels(name)  # from nothing on: an alert sees the first one as well
        self._source_seconds = Histogram(
            "gapura_source_seconds",
            "Time of one attempt at a source, good or not, seconds.",
            ["source"],
            registry=self.registry,
        )
        self._source_failures = self._counter(
            "source_failures", "Attempts at a source that failed, by how.", "source", "kind"
        )
        self._source_gauges = {
            name: Gauge(
                f"gapura_source_{name}",
                words,
                ["source"],
                registry=self.registry,
                multiprocess_mode="mostrecent",
            )
            for name, words in _SOURCE_GAUGES.items()
        }
        self._source_counters = {
            name: self._counter(f"source_{name}", words, "source") for name, words in _SOURCE_COUNTERS.items()
        }
        self._source_totals: dict[tuple[str, str], int] = {}
        # Finding a series by its labels costs more than counting in it. Labels come from closed lists.
        self._counted = lru_cache(maxsize=_SERIES_KEPT)(self._requests.labels)
        self._timed = lru_cache(maxsize=_SERIES_KEPT)(self._seconds.labels)
        self._ended = lru_cache(maxsize=_SERIES_KEPT)(self._outcomes.labels)
        self._kept_back = lru_cache(maxsize=_SERIES_KEPT)(self._withheld.labels)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP request has been answered."""
        self._counted(method, route, str(status)).inc()
        self._timed(route).observe(seconds)

    def answer(
        self,
        operation: str,
        outcomes: Sequence[str],
        withheld: Mapping[str, int],
        unavailable: Iterable[str],
    ) -> None:
        """One exchange has been answered; `withheld` counts fields by why."""
        for outcome in set(outcomes):
            self._ended(operation, outcome).inc(outcomes.count(outcome))
        for reason, count in withheld.items():
            self._kept_back(operation, reason).inc(count)
        for field in unavailable:
            self._unavailable.labels(field).inc()

    def refusal(self, reason: str) -> None:
        """One exchange has been refused."""
        self._refusals.labels(reason).inc()

    def event(self, name: str) -> None:
        """A warning or an error has been logged."""
        self._events.labels(name).inc()

    def attempt(self, source: str, seconds: float, failure: str | None) -> None:
        """One attempt at a source has ended, well or in this way."""
        self._source_seconds.labels(source).observe(seconds)
        if failure is not None:
            self._source_failures.labels(source, failure).inc()

    def source(self, state: SourceState, quota_left: int | None) -> None:
        """Bring the metrics of one source up to what this process knows of it."""
        gauges = {
            "reachable": None if state.reachable is None else int(state.reachable),
            "breaker_open": _PHASE_NUMBERS[state.breaker],
            "latency_seconds": state.latency_s,
            "quota_left": quota_left,
        }
        for name, number in gauges.items():
            if number is not None:
                self._source_gauges[name].labels(state.name).set(number)
        for name, counter in self._source_counters.items():
            total = getattr(state, name)
            counter.labels(state.name).inc(total - self._source_totals.get((state.name, name), 0))
            self._source_totals[state.name, name] = total

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"gapura_{name}", words, labels, registry=self.registry)
