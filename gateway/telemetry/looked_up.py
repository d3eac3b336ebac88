"""What a scrape looks up, put into Prometheus' terms: gauges that no process has to keep.

The figures themselves, and what each means, are those of `gateway.vitals`; they are the same in every worker,
so that it does not matter which of them is scraped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.vitals.figures import FIGURES, Figure


class LookedUp(Collector):
    """These figures; a family of which there is none just now is there all the same, without a sample."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._families = {
            name: GaugeMetricFamily(name, words, labels=labels) for name, (words, labels) in FIGURES.items()
        }
        for figure in figures:
            _, labels = FIGURES[figure.name]
            self._families[figure.name].add_metric([figure.labels[label] for label in labels], figure.number)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As the registry asks for them."""
        yield from self._families.values()
