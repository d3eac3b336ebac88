"""What is configured about a source: where it is, whom to trust there, and how much it may be asked.

Checked when it is made, all problems at once: a wrong number found at night is an outage. It MUST NOT hold
credentials; these are the connector's, and change apart from the rest.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from connectors.transport.breaker import BreakerSettings

_SHA256_HEX_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """How one source is reached, and how much it may be asked. Durations in seconds, sizes in bytes.

    Plain HTTP has to be allowed by name, except to this machine; Dukcapil's older hosts speak nothing else,
    inside a VPN. For HTTPS to a bare address, pin either `ca_file` (its certificate names the address) or
    `certificate_sha256` (it does not): verification is never switched off.
    """

    name: str
    base_url: str
    # Questions under way at once. 20 answers 1000 subjects at 50 ms each in 2.5 s; ask the source's owner.
    concurrency: int = 20
    # Half of an exchange's 10 s, so that one silent attempt leaves room for a second.
    attempt_timeout_s: float = 5.0
    # A time-out sooner than this speaks of the caller's deadline, not of the source.
    fair_wait_s: float = 1.0
    # The first and two retries: what the clients of Dukcapil that are publicly known do.
    max_attempts: int = 3
    # Full jitter between 0 and base * 2^n, at most cap: human-scale answers gain nothing from longer waits.
    backoff_base_s: float = 0.1
    backoff_cap_s: float = 2.0
    # One retry in ten questions: the worst storm adds a tenth to the load. The burst lets a quiet source,
    # asked a few times a minute, retry at all.
    retry_percent: int = 10
    retry_burst: int = 10
    # A source that asks for longer rest is tried again after this, in case it was a mistake or is over.
    retry_after_cap_s: float = 60.0
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    # 1000 persons at 3 kB, with some room; sources of maps need more and say so.
    max_body_bytes: int = 5_000_000
    # Below the 60 s after which common servers and load balancers drop an idle connection.
    keep_alive_s: float = 30.0
    ca_file: Path | None = None
    certificate_sha256: str | None = None
    allow_plain_http: bool = False
    # What this source calls JSON; some say text/plain. Types that end in +json are JSON anyway.
    json_types: frozenset[str] = frozenset({"application/json"})
    # Tell the source in which trace we ask, where we trace: for sources of one's own house alone.
    pass_trace: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that cannot work. Raises ValueError with every problem."""
        if problems := [*self._address_problems(), *self._trust_problems(), *self._number_problems()]:
            raise ValueError(f"source {self.name or '(no name)'}: " + "; ".join(problems))

    @property
    def authority(self) -> str:
        """Host and port, as error texts name the source."""
        return urlsplit(self.base_url).netloc

    @property
    def pinned_sha256(self) -> bytes | None:
        """The SHA-256 of the only certificate that is accepted, if one is pinned."""
        if self.certificate_sha256 is None:
            return None
        return bytes.fromhex(self.certificate_sha256.replace(":", ""))

    def _address_problems(self) -> Iterator[str]:
        if not self.name:
            yield "name is empty"
        try:
            url = urlsplit(self.base_url)
            usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            yield "base_url must read http(s)://host[:port][/path]"
            return
        if url.username is not None or url.password is not None:
            yield "base_url must not hold credentials"
        if url.query or url.fragment:
            yield "base_url must not hold a query or a fragment"
        if url.scheme == "http" and not (self.allow_plain_http or _is_this_machine(url)):
            yield "base_url is plain HTTP: use https, or set allow_plain_http where the network is a VPN"

    def _trust_problems(self) -> Iterator[str]:
        if self.ca_file is not None and self.certificate_sha256 is not None:
            yield "set ca_file or certificate_sha256, not both"
        if (self.ca_file or self.certificate_sha256) and not self.base_url.startswith("https:"):
            yield "ca_file and certificate_sha256 have no effect without https"
        if self.certificate_sha256 is not None:
            digits = self.certificate_sha256.replace(":", "").lower()
            if len(digits) != _SHA256_HEX_DIGITS or set(digits) - set("0123456789abcdef"):
                yield "certificate_sha256 must be 64 hexadecimal digits, with or without colons"

    def _number_problems(self) -> Iterator[str]:
        positive = {
            "concurrency": self.concurrency,
            "attempt_timeout_s": self.attempt_timeout_s,
            "max_attempts": self.max_attempts,
            "max_body_bytes": self.max_body_bytes,
            "backoff_base_s": self.backoff_base_s,
            "breaker.failures": self.breaker.failures,
            "breaker.open_s": self.breaker.open_s,
            "breaker.window_s": self.breaker.window_s,
        }
        yield from (f"{name} must be more than 0" for name, value in positive.items() if not value > 0)
        at_least_zero = {
            "retry_burst": self.retry_burst,
            "retry_after_cap_s": self.retry_after_cap_s,
            "keep_alive_s": self.keep_alive_s,
            "fair_wait_s": self.fair_wait_s,
        }
        yield from (f"{name} must not be less than 0" for name, value in at_least_zero.items() if value < 0)
        if not 0 <= self.retry_percent <= 100:  # noqa: PLR2004 - a percentage
            yield "retry_percent must be 0 to 100"
        if not 1 <= self.breaker.failure_percent <= 100:  # noqa: PLR2004 - a percentage
            yield "breaker.failure_percent must be 1 to 100"
        if self.breaker.window_calls < self.breaker.failures:
            yield "breaker.window_calls must be at least breaker.failures, or the breaker could never open"
        if self.backoff_cap_s < self.backoff_base_s:
            yield "backoff_cap_s must be at least backoff_base_s"


def _is_this_machine(url: SplitResult) -> bool:
    if url.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False
