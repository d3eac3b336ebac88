"""Does every policy find its sources? Asked once, at the start, of the policies as they then are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.base import Connector
from gateway.errors import SettingsInvalid
from gateway.sources.unconfigured import unconfigured_sources
from policies.agreement import AgreementBook
from policies.conditions import ON_DATE, inputs


def with_unconfigured(
    book: AgreementBook, registry: Sequence[Connector], sources: Sequence[Connector], since: datetime
) -> tuple[Connector, ...]:
    """The sources, and a stand-in for each one of the dictionary that was not configured."""
    provided = frozenset[str]().union(*(connector.provides for connector in (*registry, *sources)))
    by_source: dict[str, frozenset[str]] = {}
    for field in book.dictionary.values():
        by_source[field.source] = by_source.get(field.source, frozenset()) | {field.name}
    return (*sources, *unconfigured_sources(by_source, provided, since))


def check_provided(book: AgreementBook, connectors: Sequence[Connector]) -> None:
    """Refuse to start on an agreement or a rule that needs what nobody provides."""
    provided = frozenset[str]().union(*(connector.provides for connector in connectors)) | {ON_DATE}
    needed = [
        *(
            (f"programme {rule.programme}", field)
            for rule in book.programmes.values()
            for field in inputs(rule)
        ),
        *(
            (f"agreement {agreement.id}", how.reads)
            for agreement in book.agreements
            for how in agreement.fields.values()
            if how.name != "drop"
        ),
    ]
    if missing := [
        f"{where} needs the field {field}, which no connector provides"
        for where, field in needed
        if field not in provided
    ]:
        raise SettingsInvalid(missing)
