"""One question to a source on the wire: send it, read the answer within its size, say what went wrong.

No retries, no memory between questions. This module MUST NOT let bytes of an answer, a path or a query
into a failure. The exceptions of httpx and orjson quote them: none may be a cause, and the transport takes
away what Python itself remembers as context.

httpx is used at its transport, below `httpx.AsyncClient`: the client writes every URL to the log (BPJS wants
the national id in the path), keeps cookies from one person's question to the next, and decompresses a whole
chunk at once, which makes a size limit late by a factor of a thousand.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from socket import gaierror
from typing import Any, cast

import httpx
import orjson

from connectors.transport.failures import (
    BrokenContract,
    ConnectionLost,
    GarbledAnswer,
    Misconfigured,
    Overloaded,
    Rejected,
    ServerFault,
    SourceFailure,
    Timeout,
    TooLarge,
)
from connectors.transport.settings import SourceSettings
from connectors.transport.strict_json import strict_json

JSON = "application/json"
# Window bits that make zlib expect exactly this wrapping (zlib manual, inflateInit2).
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
# More digits than this say no more than "not in our lifetime", and would be slow to read as a number.
_RETRY_AFTER_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Reply:
    """What a source answered. `headers` have lower-case names; `data` is the JSON, where JSON was expected.

    MUST NOT be changed: callers may share one reply.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    data: Any = field(default=None, repr=False)


class Wire:
    """The connections to one source: one for each question under way, kept alive for the next.

    Each is a pool of one. httpx's pool of twenty looks at all twenty for every question, which costs more
    than the rest of the question together; and a connection on which something went wrong is not used again,
    however well its pool believes to have recovered.
    """

    def __init__(self, settings: SourceSettings, utc: Callable[[], datetime]) -> None:
        self._settings = settings
        self._utc = utc
        self._tls = _tls_context(settings)
        self._idle: list[httpx.AsyncHTTPTransport] = []  # the last used first: it is the least stale

    async def exchange(
        self, request: httpx.Request, *, expect: str | None, also_answers: frozenset[int]
    ) -> Reply:
        """Send `request` once and give the whole answer.

        It is an answer when its status is 2xx or one of `also_answers`, and its media type is `expect`
        (None = any). Raises SourceFailure. Has no time limit of its own.
        """
        connection = self._idle.pop() if self._idle else self._connection()
        try:
            response = await connection.handle_async_request(request)
            try:
                self._judge_status(response, also_answers)
                self._judge_type(response, expect)
                body = await self._read(response)
            finally:
                await response.aclose()
        except BaseException as error:
            await connection.aclose()
            if not isinstance(error, httpx.TransportError | ssl.SSLError | OSError):
                raise
            raise _translated(error, self._settings.authority) from None
        self._idle.append(connection)
        data = self._decoded(body) if expect == JSON else None
        return Reply(response.status_code, dict(response.headers), body, data)

    async def aclose(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await self._idle.pop().aclose()

    def _connection(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=self._settings.keep_alive_s
        )
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits)

    def _judge_status(self, response: httpx.Response, also_answers: frozenset[int]) -> None:
        status = response.status_code
        if status in also_answers or httpx.codes.is_success(status):
            return
        said = f"{self._settings.authority} answers with status {status}"
        match status:
            case 429 | 503:
                rest_s = retry_after_s(
                    response.headers.get("retry-after"), response.headers.get("date"), self._utc()
                )
                wish = "" if rest_s is None else f" and asks for {rest_s:.0f} s of rest"
                raise Overloaded(said + wish, retry_after_s=rest_s, may_have_acted=status != 429)  # noqa: PLR2004
            case 401 | 403 | 407:
                raise Misconfigured(
                    f"{said}: check the credentials and whether our address is allowed", alive=True
                )
            case 408:
                raise Timeout(f"{said}: our question reached it too slowly")
            case 501 | 505:
                raise Misconfigured(f"{said}: it does not offer what we ask for, check base_url", alive=True)
            case _ if httpx.codes.is_redirect(status):
                raise Misconfigured(
                    f"{said}, a redirect: set base_url to the final address, redirects are not followed",
                    alive=True,
                )
            case _ if httpx.codes.is_client_error(status):
                raise Rejected(said, status=status)
            case _ if httpx.codes.is_server_error(status):
                raise ServerFault(said)
            case _:
                raise GarbledAnswer(f"{said}, which is no final answer")

    def _judge_type(self, response: httpx.Response, expect: str | None) -> None:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if expect is None or media_type == expect:
            return
        if expect == JSON and (media_type in self._settings.json_types or media_type.endswith("+json")):
            return
        raise GarbledAnswer(
            f"{self._settings.authority} does not answer with {expect}: does a proxy or login page answer?"
        )

    async def _read(self, response: httpx.Response) -> bytes:
        """Read the body, decompressed, and not a byte more than the limit."""
        body = _Body(response.headers.get("content-encoding", "identity").strip().lower(), self._settings)
        body.announced(response.headers.get("content-length", ""))
        # An async generator, whatever its annotation says: it must be closed when a chunk is one too many.
        async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                body.feed(chunk)
        return body.complete()

    def _decoded(self, body: bytes) -> Any:
        """JSON to the letter, for which orjson stands, and no name twice, which it would not notice."""
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise GarbledAnswer(
                f"{self._settings.authority} answers with broken JSON, at character {error.pos}"
            ) from None
        try:
            return strict_json(body.decode())
        except ValueError:
            raise BrokenContract(
                f"{self._settings.authority} answers with JSON that tells a name twice, or nests too deeply"
            ) from None


class _Body:
    """Collects a body, decompressing no further than the limit."""

    def __init__(self, encoding: str, settings: SourceSettings) -> None:
        self._most = settings.max_body_bytes
        self._where = settings.authority
        self._bytes = bytearray()
        if encoding not in {"identity", *_WINDOW_BITS}:
            raise GarbledAnswer(f"{self._where} answers in a content encoding that we did not offer")
        self._unpacker = zlib.decompressobj(_WINDOW_BITS[encoding]) if encoding != "identity" else None

    def announced(self, content_length: str) -> None:
        """Give up before reading, if the answer says itself that it is too large."""
        if content_length.isascii() and content_length.isdigit():
            self._check(int(content_length))

    def feed(self, chunk: bytes) -> None:
        if self._unpacker is not None:
            try:
                chunk = self._unpacker.decompress(chunk, self._most + 1 - len(self._bytes))
            except zlib.error:
                raise GarbledAnswer(f"{self._where} answers with broken compression") from None
        self._bytes += chunk
        self._check(len(self._bytes))

    def complete(self) -> bytes:
        if self._unpacker is not None and (not self._unpacker.eof or self._unpacker.unused_data):
            raise GarbledAnswer(f"{self._where} answers with compression that ends early or late")
        return bytes(self._bytes)

    def _check(self, size: int) -> None:
        if size > self._most:
            raise TooLarge(f"{self._where} answers with more than max_body_bytes = {self._most}")


def retry_after_s(text: str | None, date: str | None, now: datetime) -> float | None:
    """How long the source asks us to stay away (RFC 9110, 10.2.3), or None if it does not say so clearly.

    A point in time is measured against the answer's own Date, if it has one: the two clocks may differ.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[-_RETRY_AFTER_DIGITS:] if set(text[:-_RETRY_AFTER_DIGITS]) <= {"0"} else 10**9)
    until = _http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(date or "") or now)).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        # HTTP dates are GMT even where the zone is missing.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _translated(error: Exception, where: str) -> SourceFailure:
    """The failure for what httpx saw, told by its kind alone: its texts may quote the answer."""
    sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    if not sent:
        return _unconnected(error, where)
    if isinstance(error, httpx.LocalProtocolError):
        return Misconfigured(f"our question to {where} is no valid HTTP: check the configured credentials")
    if isinstance(error, httpx.ProtocolError) and not _ended_early(error):
        return GarbledAnswer(f"{where} does not speak HTTP")
    return ConnectionLost(f"{where} closed the connection before its answer was complete")


def _unconnected(error: Exception, where: str) -> SourceFailure:
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Misconfigured(
                    f"the TLS certificate of {where} is not trusted ({cause.verify_message}): "
                    "check ca_file or certificate_sha256, and whether it was renewed"
                )
            case ssl.SSLError():
                return Misconfigured(
                    f"no TLS with {where} ({cause.reason}): check scheme and port of base_url"
                )
            case gaierror():
                return ConnectionLost(
                    f"the name in {where} cannot be resolved: check base_url and DNS", sent=False
                )
            case ConnectionRefusedError():
                return ConnectionLost(f"{where} refuses connections: is the service running?", sent=False)
    return ConnectionLost(f"no connection to {where}: check the network or VPN", sent=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, as far as it goes; of several at once, the first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0]
        else:
            current = current.__cause__ or current.__context__


def _ended_early(error: httpx.ProtocolError) -> bool:
    """Whether the peer merely hung up. httpx gives no type for it, only the words of h11 and httpcore."""
    words = str(error)
    return "disconnected" in words or "peer closed connection" in words


def _tls_context(settings: SourceSettings) -> ssl.SSLContext:
    if settings.base_url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; reading the authorities takes 30 ms
    context = ssl.create_default_context(cafile=settings.ca_file)
    pinned = settings.pinned_sha256
    if pinned is not None:
        # The pin replaces the chain and the name: it says which certificate, not whose.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.sslobject_class = _pinned_tls(pinned)
    return context


def _pinned_tls(sha256: bytes) -> type[ssl.SSLObject]:
    """TLS that ends in the handshake, before a byte of the question, unless the certificate is this one."""

    class PinnedTls(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(hashlib.sha256(certificate).digest(), sha256):
                mismatch = ssl.SSLCertVerificationError("certificate pin")
                mismatch.verify_message = "it is not the pinned one"
                raise mismatch

    return PinnedTls
