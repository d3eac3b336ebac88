"""A source in trouble of every kind that the suite knows, and the loop in which a test meets it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from tests.connectors.conftest import Certificate
from tests.connectors.faults import (
    Fault,
    FaultProxy,
    Source,
    announced_oversize,
    black_hole,
    broken_json,
    compression_bomb,
    endless,
    error_in_200,
    garbage,
    half_close,
    hang_up,
    honest,
    latency,
    login_page,
    reset,
    slow_drip,
    status,
    truncated,
)

UNRESOLVED = "source.invalid"
# Trouble before the first byte of the question could leave.
Unreached = Literal["another name", "unknown authority", "unresolved", "refused"]
_BOMB_BYTES = 10_000_000

TROUBLES: Mapping[str, Fault | Unreached] = {
    "latency": latency(0.05),
    "latency beyond the deadline": latency(30),
    "reset": reset,
    "hang up": hang_up,
    "half-close": half_close,
    "slow drip": slow_drip,
    "black hole": black_hole,
    "truncated body": truncated,
    "oversized, announced": announced_oversize(10**9),
    "oversized, endless": endless,
    "compression bomb": compression_bomb(_BOMB_BYTES),
    "garbage": garbage,
    "broken JSON": broken_json,
    "login page": login_page,
    "200 with error": error_in_200,
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "429, come back now": status(429, retry_after="0"),
    "429, come back later": status(429, retry_after="5"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "TLS, another name": "another name",
    "TLS, unknown authority": "unknown authority",
    "DNS failure": "unresolved",
    "connection refused": "refused",
}


class WindableLoop(asyncio.SelectorEventLoop):
    """Real time, which a test can put forward by `ahead_s`; one name does not resolve until it is `known`."""

    ahead_s = 0.0
    known = False

    def time(self) -> float:
        return super().time() + self.ahead_s

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == UNRESOLVED and not self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await super().getaddrinfo("127.0.0.1" if name == UNRESOLVED else host, port, **more)


def this_loop() -> WindableLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WindableLoop)
    return loop


class Metronome:
    """How late the machine itself is: a thread sleeps a little, again and again, and adds what it overslept.

    On a busy machine nobody is woken in time, and a test of time must not blame the connector for it. A
    connector that blocks its own loop does not hold up this thread, and is not excused.
    """

    _BEAT_S = 0.005
    # What a timer is late by on an idle machine, and no news.
    _USUAL_S = 0.001

    def __init__(self) -> None:
        self.late_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.is_set():
            began = time.perf_counter()
            time.sleep(self._BEAT_S)
            overslept_s = time.perf_counter() - began - self._BEAT_S
            self.late_s += overslept_s if overslept_s > self._USUAL_S else 0.0


@dataclass(frozen=True)
class Certificates:
    """`right` names the address; `other` does not; `trusted` holds both; nobody trusts the `stranger`."""

    right: Certificate
    other: Certificate
    stranger: Certificate
    trusted: Path


@dataclass
class Plagued:
    """A source in trouble: where it is, whom to trust there, what reached it, and its cure."""

    proxy: FaultProxy
    base_url: str
    ca_file: Path | None
    cure: Callable[[], Awaitable[None]]
    cured_by_rest: bool

    async def rest(self, seconds: float) -> None:
        """What a transport does between two attempts."""
        if self.cured_by_rest:
            await self.cure()
        await asyncio.sleep(seconds)


@asynccontextmanager
async def plagued(
    trouble: Fault | Unreached, source: Source, certificates: Certificates, *, once_after: int | None = None
) -> AsyncIterator[Plagued]:
    """A source that is in trouble until it is cured.

    With `once_after`, it answers as many requests well, is in trouble for one, and is well from then on; out
    of trouble that comes before any request, it is after the first pause.
    """
    match trouble:
        case "another name" | "unknown authority":
            shown = certificates.other if trouble == "another name" else certificates.stranger
            tls = shown.server()
            proxy = FaultProxy(source=source, tls=tls)
        case "unresolved" | "refused":
            tls = None
            proxy = FaultProxy(source=source, refusing=trouble == "refused")
        case _:
            tls = None
            plan = [] if once_after is None else [*[honest] * once_after, trouble]
            proxy = FaultProxy(*plan, otherwise=trouble if once_after is None else honest, source=source)

    async def cure() -> None:
        proxy.heal()
        this_loop().known = True
        if tls is not None:
            _present(tls, certificates.right)
        if trouble == "refused":
            await proxy.listen()

    async with proxy:
        base_url = proxy.base_url
        if trouble == "unresolved":
            base_url = f"http://{UNRESOLVED}:{proxy.port}"
        this_loop().known = False
        unreached = isinstance(trouble, str)
        trusted = certificates.trusted if tls is not None else None
        yield Plagued(proxy, base_url, trusted, cure, unreached and once_after is not None)


def _present(tls: ssl.SSLContext, certificate: Certificate) -> None:
    tls.load_cert_chain(certificate.file)
