"""What one agreement with Dukcapil fixes: address, names, method, quota. No two agreements spell it alike.

Checked when it is made, all problems at once. It MUST NOT hold credentials: these are given apart from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from connectors.dukcapil.wire import BIRTH_DATE_FORMATS, Call, Spelling
from connectors.transport.settings import SourceSettings

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_NUMERIC_CUSTOMER = re.compile(r"\d{15}", re.ASCII)
_REGION = re.compile(r"\d\d(-\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DukcapilSettings:
    """What one agreement with Dukcapil fixes, beside how the service is reached (`source`).

    `customer` is the institution's name, its 15-digit id, or on a regional service its code; `region` is that
    service's `pp` or `pp-kk`. `threshold` is the similarity in per cent from which texts match.
    `warn_at` are numbers of calls left today at which the operator is warned. `calls_per_second` holds for
    one process.
    """

    source: SourceSettings
    family: Literal["central_named", "central_numeric", "regional"]
    customer: str
    threshold: int
    daily_quota: int
    region: str | None = None
    call: Call = "verify"
    method: str = "CALL_VERIFY_BY_ELEMEN"
    spelling: Spelling = field(default_factory=Spelling)
    birth_date_format: str = "DD-MM-YYYY"
    found_messages: tuple[str, ...] = ()
    warn_at: tuple[int, ...] = ()
    calls_per_second: float | None = None
    fresh_for: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot work. Raises ValueError with every problem."""
        if problems := list(self._problems()):
            raise ValueError(f"source {self.source.name}: " + "; ".join(problems))

    @property
    def path(self) -> str:
        """The path of the call, below the source's address."""
        parts = [self.region, self.customer, self.method] if self.region else [self.customer, self.method]
        return "/dukcapil/get_json/" + "/".join(part for part in parts if part)

    def _problems(self) -> Iterator[str]:
        if not _SEGMENT.fullmatch(self.customer):
            yield "customer must be letters, digits, - and _"
        if self.family == "central_numeric" and not _NUMERIC_CUSTOMER.fullmatch(self.customer):
            yield "customer must be the 15-digit id where family is central_numeric"
        if not _SEGMENT.fullmatch(self.method):
            yield "method must be letters, digits, - and _"
        if (self.family == "regional") != bool(self.region and _REGION.fullmatch(self.region)):
            yield "region must be pp or pp-kk where family is regional, and absent elsewhere"
        if self.call not in {"verify", "record"}:
            yield "call must be verify or record"
        if self.birth_date_format not in BIRTH_DATE_FORMATS:
            yield "birth_date_format must be " + " or ".join(BIRTH_DATE_FORMATS)
        if not 1 <= self.threshold <= 100:  # noqa: PLR2004 - per cent, as Dukcapil counts it
            yield "threshold must be 1 to 100"
        if self.daily_quota < 1:
            yield "daily_quota must be at least 1"
        if self.calls_per_second is not None and self.calls_per_second <= 0:
            yield "calls_per_second must be more than 0, or absent"
