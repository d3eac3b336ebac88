"""Whom a source has to be, before it hears a question."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured, SourceFailure
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import Reply
from tests.connectors.conftest import Certificate
from tests.connectors.faults import FaultProxy

pytestmark = pytest.mark.anyio


async def ask(base_url: str, **trust: Any) -> Reply | SourceFailure:
    async with Transport(
        SourceSettings(name="sample", base_url=base_url, max_attempts=3, **trust)
    ) as transport:
        try:
            return await transport.send("GET", "/", deadline=asyncio.get_running_loop().time() + 5)
        except SourceFailure as failure:
            assert transport.state().breaker == "closed"
            return failure


async def test_a_pinned_certificate_is_enough_for_a_bare_address(for_another_name: Certificate) -> None:
    async with FaultProxy(tls=for_another_name.server()) as source:
        assert isinstance(await ask(source.base_url, certificate_sha256=for_another_name.sha256), Reply)
        digits = for_another_name.sha256.upper()
        spelt = ":".join(digits[at : at + 2] for at in range(0, 64, 2))
        assert isinstance(await ask(source.base_url, certificate_sha256=spelt), Reply)


async def test_a_pinned_authority_is_enough_if_the_certificate_names_the_address(
    for_this_address: Certificate,
) -> None:
    async with FaultProxy(tls=for_this_address.server()) as source:
        assert isinstance(await ask(source.base_url, ca_file=for_this_address.file), Reply)


@pytest.mark.parametrize("trust", ["other pin", "other authority", "other name", "nothing"])
async def test_any_other_certificate_hears_no_question_and_is_told_from_an_outage(
    trust: str, for_this_address: Certificate, for_another_name: Certificate
) -> None:
    cases: dict[str, tuple[Certificate, dict[str, Any]]] = {
        "other pin": (for_this_address, {"certificate_sha256": for_another_name.sha256}),
        "other authority": (for_this_address, {"ca_file": for_another_name.file}),
        "other name": (for_another_name, {"ca_file": for_another_name.file}),
        "nothing": (for_this_address, {}),
    }
    shown, settings = cases[trust]
    async with FaultProxy(tls=shown.server()) as source:
        failure = await ask(source.base_url, **settings)
        assert isinstance(failure, Misconfigured)
        assert "certificate" in failure.cause
        await source.deserted()
        assert source.requests == 0
        assert source.connections <= 1, "it is not retried"


async def test_https_to_a_port_that_speaks_http_is_a_matter_of_configuration() -> None:
    async def puzzled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(puzzled, "127.0.0.1", 0) as server:
        failure = await ask(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert isinstance(failure, Misconfigured)
    assert "check scheme and port" in failure.cause


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name is empty"),
        ({"base_url": "ftp://source.example"}, "base_url must read"),
        ({"base_url": "https://source.example:none"}, "base_url must read"),
        ({"base_url": "https://me:secret@source.example"}, "must not hold credentials"),
        ({"base_url": "https://source.example/?a=b"}, "must not hold a query"),
        ({"base_url": "http://10.0.0.1:8000"}, "plain HTTP"),
        ({"certificate_sha256": "ab"}, "64 hexadecimal digits"),
        ({"certificate_sha256": "a" * 64, "ca_file": Path("ca.pem")}, "not both"),
        ({"base_url": "http://localhost", "ca_file": Path("ca.pem")}, "no effect without https"),
        ({"concurrency": 0}, "concurrency must be more than 0"),
        ({"attempt_timeout_s": float("nan")}, "attempt_timeout_s must be more than 0"),
        ({"retry_burst": -1}, "retry_burst must not be less than 0"),
        ({"retry_percent": 101}, "retry_percent must be 0 to 100"),
        ({"backoff_cap_s": 0.01}, "backoff_cap_s must be at least"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_write(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        SourceSettings(**({"name": "sample", "base_url": "https://source.example"} | change))
    assert "secret" not in str(caught.value)


def test_all_problems_of_the_settings_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"concurrency must be .*; max_attempts must be"):
        SourceSettings(name="sample", base_url="https://source.example", concurrency=0, max_attempts=0)


def test_plain_http_is_for_this_machine_or_where_it_is_allowed_by_name() -> None:
    assert SourceSettings(name="a", base_url="http://[::1]:8000").authority == "[::1]:8000"
    assert SourceSettings(name="a", base_url="http://10.0.0.1:8000", allow_plain_http=True)
