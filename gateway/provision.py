"""Does every policy find its sources? Asked at the start, of the policies as they then are.

Of a version that is to count it is asked before, by `gateway.agreements.provided`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from connectors.base import Connector
from gateway.errors import SettingsInvalid
from gateway.sources.unconfigured import unconfigured_sources
from policies.agreement import AgreementBook
from policies.conditions import ON_DATE, inputs
from policies.dictionary import Field


def with_unconfigured(
    book: AgreementBook, registry: Sequence[Connector], sources: Sequence[Connector], since: datetime
) -> tuple[Connector, ...]:
    """The sources, and a stand-in for each one of the dictionary that was not configured."""
    provided = frozenset[str]().union(*(connector.provides for connector in (*registry, *sources)))
    return (*sources, *unconfigured_sources(fields_by_source(book.dictionary), provided, since))


def fields_by_source(dictionary: Mapping[str, Field]) -> Mapping[str, frozenset[str]]:
    """The fields that a dictionary expects of each source, by the source's name."""
    by_source: dict[str, frozenset[str]] = {}
    for field in dictionary.values():
        by_source[field.source] = by_source.get(field.source, frozenset()) | {field.name}
    return by_source


def check_provided(book: AgreementBook, connectors: Sequence[Connector]) -> None:
    """Refuse to start on an agreement or a rule that needs what nobody provides."""
    provided = frozenset[str]().union(*(connector.provides for connector in connectors)) | {ON_DATE}
    if missing := [
        f"{where} needs the field {field}, which no connector provides"
        for where, field in needed_fields(book)
        if field not in provided
    ]:
        raise SettingsInvalid(missing)


def needed_fields(book: AgreementBook) -> Iterator[tuple[str, str]]:
    """Who needs which field: every rule and every agreement, as they are called in a sentence."""
    for rule in book.programmes.values():
        yield from ((f"programme {rule.programme}", field) for field in inputs(rule))
    for agreement in book.agreements:
        released = [how for how in agreement.fields.values() if how.name != "drop"]
        yield from ((f"agreement {agreement.id}", how.reads) for how in released)


def provided_by(connectors: Sequence[Connector]) -> Mapping[str, frozenset[str]]:
    """The fields that each source provides, by its name."""
    return {connector.name: frozenset(connector.provides) for connector in connectors}
