"""A source that misbehaves to order, over real sockets: the suite's own fault proxy.

A `FaultProxy` listens on 127.0.0.1 and takes one `Fault` of its `plan` for each request that arrives; when
the plan is used up, `otherwise` holds. It stands before a real server (`upstream`), or answers by itself.
`requests` counts what reached the source: a retry that the client believes it made, or spared, shows here.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

Source = Callable[[bytes], Awaitable[bytes]]
CANNED = b'{"ok": true}'


def http(
    body: bytes = CANNED, status: int = 200, content_type: str = "application/json", **headers: str
) -> bytes:
    """A whole HTTP/1.1 answer; `headers` with underscores for hyphens."""
    lines = [f"HTTP/1.1 {status} said", f"content-type: {content_type}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def canned(_request: bytes) -> bytes:
    return http()


def upstream(port: int) -> Source:
    """A real HTTP server on this machine. It is asked to close, so that the end of its answer is plain."""

    async def forward(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head, blank, body = request.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            writer.write(b"\r\n".join([*lines, b"connection: close"]) + blank + body)
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    return forward


@dataclass
class Talk:
    """One request and the connection on which its answer is due."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    source: Source

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def intact(self) -> bytes:
        return await self.source(self.request)

    async def gone(self) -> None:
        """Wait until the client has hung up."""
        while await self.reader.read(65536):
            pass


Fault = Callable[[Talk], Awaitable[None]]


async def honest(talk: Talk) -> None:
    answer = await talk.intact()
    await talk.say(answer)
    if _says_close(answer):
        talk.writer.close()


def latency(delay_s: float) -> Fault:
    async def late(talk: Talk) -> None:
        await asyncio.sleep(delay_s)
        await honest(talk)

    return late


def held_until(event: asyncio.Event, then: Fault = honest) -> Fault:
    """Hold the answer until the test lets it go, or the client has gone."""

    async def held(talk: Talk) -> None:
        released, left = asyncio.create_task(event.wait()), asyncio.create_task(talk.gone())
        await asyncio.wait({released, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in (released, left):
            task.cancel()
        await asyncio.gather(released, left, return_exceptions=True)
        if event.is_set():
            await then(talk)

    return held


async def reset(talk: Talk) -> None:
    connection = talk.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.writer.transport.abort()


async def hang_up(talk: Talk) -> None:
    """Close without a word."""
    talk.writer.close()


async def half_close(talk: Talk) -> None:
    """Half an answer, then FIN; the other direction stays open."""
    answer = await talk.intact()
    await talk.say(answer[: len(answer) // 2])
    if talk.writer.can_write_eof():
        talk.writer.write_eof()
        await talk.gone()


async def truncated(talk: Talk) -> None:
    await talk.say((await talk.intact())[:-3])
    talk.writer.close()


async def slow_drip(talk: Talk) -> None:
    """Always one more byte, never done."""
    await talk.say(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not talk.reader.at_eof() and not talk.writer.is_closing():
        await talk.say(b" ")
        await asyncio.sleep(0.01)


async def black_hole(talk: Talk) -> None:
    await talk.gone()


async def endless(talk: Talk) -> None:
    """More than anybody wants, in chunks, without saying how much."""
    await talk.say(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while not talk.writer.is_closing():
        await talk.say(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def answering(answer: bytes) -> Fault:
    async def said(talk: Talk) -> None:
        await talk.say(answer)

    return said


def status(code: int, **headers: str) -> Fault:
    return answering(http(b'{"message": "words of the source"}', code, **headers))


def announced_oversize(size: int) -> Fault:
    return answering(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n[" % size
    )


def compression_bomb(size: int) -> Fault:
    return answering(http(gzip.compress(b" " * size), content_encoding="gzip"))


garbage = answering(b"\x00\xffSSH-2.0-something else entirely\r\n\r\n\x01\x02\x03")
broken_json = answering(http(b'{"secret": "words of the source", '))
login_page = answering(http(b"<html>words of the source</html>", content_type="text/html"))
error_in_200 = answering(http(b'{"error": {"code": 500, "message": "words of the source"}}'))


class FaultProxy:
    """See the module. Use it as an async context; leaving it ends every connection."""

    def __init__(
        self,
        *plan: Fault,
        otherwise: Fault = honest,
        source: Source = canned,
        tls: ssl.SSLContext | None = None,
        refusing: bool = False,
    ) -> None:
        self.plan: deque[Fault] = deque(plan)
        self.otherwise = otherwise
        self.requests = 0
        self.connections = 0
        self.most_at_once = 0
        self._source = source
        self._tls = tls
        self._refusing = refusing
        self._talking: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self._tls, backlog=500, start_serving=not self._refusing
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for _turn in range(
            5
        ):  # asyncio loses a connection whose acceptance meets a closed server: let it end
            await asyncio.sleep(0)
        self._server.close()
        await self._server.wait_closed()
        for task, writer in list(self._talking.items()):
            task.cancel()
            writer.transport.abort()  # a task that is cancelled before its first step closes nothing
        await asyncio.gather(*self._talking, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted connection closes its socket in the next turn

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def heal(self) -> None:
        self.plan.clear()
        self.otherwise = honest

    async def listen(self) -> None:
        """Let in who was refused: a `refusing` proxy has its port, where nobody listens until now."""
        await self._server.start_serving()

    async def reached(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        await self._until(lambda: self.requests == requests)

    async def deserted(self) -> None:
        """Wait until no connection is open."""
        await self._until(lambda: not self._talking)

    async def _until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110 - what is awaited happens behind a socket and sets no event
                await asyncio.sleep(0.001)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking = asyncio.create_task(self._serve(reader, writer), name="fault proxy")
        self._talking[talking] = writer
        talking.add_done_callback(self._talking.pop)
        self.connections += 1
        self.most_at_once = max(self.most_at_once, len(self._talking))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing() and (request := await _request(reader)):
                self.requests += 1
                fault = self.plan.popleft() if self.plan else self.otherwise
                await fault(Talk(request, reader, writer, self._source))
                if _says_close(request):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client hung up, as it may
        finally:
            writer.close()


def _says_close(message: bytes) -> bool:
    return b"\r\nconnection: close" in message.partition(b"\r\n\r\n")[0].lower()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One whole request; empty when the client has hung up instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next(_lengths(head.split(b"\r\n")), 0)
    return head + await reader.readexactly(length)


def _lengths(lines: Iterable[bytes]) -> Iterator[int]:
    return (int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
