"""A source that answers every question with the same full match, a given time after it was asked.

.venv/bin/python -m tests.benchmarks.slow_source LATENCY_S

It says on which port it listens, and stops with whoever started it: when its input ends.

A protocol of its own instead of the simulator, so that what is measured is who asks and not who answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

_VERDICTS = {
    "NIK": "Sesuai",
    "NAMA_LGKP": "Sesuai (100)",
    "TGL_LHR": "Sesuai",
    "TMPT_LHR": "Sesuai (100)",
    "JENIS_KLMIN": "Sesuai",
}
_BODY = json.dumps({"content": [_VERDICTS], "numberOfElements": 1, "quotaLimiter": 1_000_000}).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


class SlowAnswer(asyncio.Protocol):
    """One connection; it is asked one question at a time, as HTTP/1.1 clients do."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, blank, body = self._heard.partition(b"\r\n\r\n")
        if blank and len(body) >= _length(head):
            self._heard = b""
            asyncio.get_running_loop().call_later(self._latency_s, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


def _length(head: bytes) -> int:
    named = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in named if name == b"content-length"), 0)


async def _serve(latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: SlowAnswer(latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1])))
