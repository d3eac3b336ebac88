"""The outside: do the sources answer, is their quota used up, does the site answer under its own name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from cryptography import x509

from connectors.transport.failures import SourceFailure
from gateway.database import Database
from gateway.doctor.findings import Finding, good, graded
from gateway.doctor.machine import ending_certificate
from gateway.errors import SettingsInvalid
from gateway.settings import Settings
from gateway.sources.folder import Sources, build_sources

_WITHIN_S = 10.0
_METADATA = "/.well-known/oauth-authorization-server"
# A header tells whole seconds, and was written before it was read.
_MUCH_SKEW = timedelta(seconds=5)
_DO_TRUST = (
    "Has it ended, is it another name's, does nginx send what stands between it and its authority? One's own "
    "authority: its PEM as *.crt to /usr/local/share/ca-certificates, then `update-ca-certificates`."
)
_DO_SOURCE = "`gapura sources` shows since when and why; its owner is told. See RUNBOOK.md, GapuraSourceDown."


async def examine_sources(
    settings: Settings, database: Database, clock: Callable[[], datetime]
) -> list[Finding]:
    """Ask each source whether it answers us. Spends one call of the quota of each that has one."""
    try:
        sources = build_sources(settings.sources_file, database, clock)
    except SettingsInvalid as error:
        return [Finding("sources", "wrong", problem, "Mend sources.toml.") for problem in error.problems]
    try:
        if not sources.names:
            return [good("sources", "none is configured")]
        asked = await asyncio.gather(*(_of_source(sources, name) for name in sources.names))
        return [finding for findings in asked for finding in findings]
    finally:
        await sources.aclose()


def examine_site(settings: Settings, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Whether the site answers under its own name, with which certificate, and what time it has there."""
    address = settings.issuer + _METADATA
    do = (
        "Is a gateway running, and nginx before it? From inside, the name may lead nowhere: ask from outside."
    )
    try:
        # The machine's own authorities: those whom an operator has the machine trust count here too.
        trusted = ssl.create_default_context()
        with httpx.stream("GET", address, timeout=_WITHIN_S, verify=trusted) as answer:
            certificate = _certificate(answer.extensions.get("network_stream"))
            dated = answer.headers.get("date", "")
            status = answer.status_code
    except httpx.HTTPError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            said = f"this machine does not trust the certificate of {settings.issuer}"
            yield Finding("site", "notice", said, _DO_TRUST)
        else:
            yield Finding("site", "notice", f"{settings.issuer} does not answer ({type(error).__name__})", do)
        return
    said = f"{settings.issuer} answers with status {status}"
    yield graded("site", said, do, wrong=status != httpx.codes.OK)
    if certificate is not None:
        yield ending_certificate(f"the certificate of {settings.issuer}", certificate, now())
    yield from _of_date(dated, now())


async def _of_source(sources: Sources, name: str) -> list[Finding]:
    try:
        async with asyncio.timeout(_WITHIN_S):
            await sources.check(name)
    except SourceFailure as failure:
        return [Finding("sources", "wrong", f"{name}: {failure.cause}", _DO_SOURCE)]
    except TimeoutError:
        return [Finding("sources", "wrong", f"{name}: no answer within {_WITHIN_S:.0f} s", _DO_SOURCE)]
    left = await sources.quota_left(name)
    told = "" if left is None else f", {left:,} calls left of today's quota"
    do = "Nothing until midnight (WIB); whoever needs more asks the source's owner for a larger quota."
    return [graded("sources", f"{name} answers{told}", do, wrong=left == 0)]


def _of_date(dated: str, now: datetime) -> Iterator[Finding]:
    try:
        skew = abs(now - parsedate_to_datetime(dated).astimezone(UTC))
    except (TypeError, ValueError):
        return  # it tells no time
    yield graded(
        "clock",
        f"differs from the site's by about {skew.total_seconds():.0f} s",
        "Find which of the two is wrong: `timedatectl`, `chronyc tracking` on both; then mend its NTP.",
        wrong=skew > _MUCH_SKEW,
    )


def _certificate(stream: Any) -> datetime | None:
    """When the certificate of the other side ends; None without TLS."""
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    if tls is None:
        return None
    # By place: what httpcore hands out is the socket's inner part, which takes no names.
    return x509.load_der_x509_certificate(tls.getpeercert(True)).not_valid_after_utc
