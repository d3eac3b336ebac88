"""TLS client certificates: with which one a request came, as the proxy tells that saw the handshake.

TLS ends at a proxy, which names the certificate in `Client-Cert` (RFC 9440); from anybody else the header
says nothing. The chain is the proxy's to verify. Here a certificate is only the name of a private key that
the sender holds (RFC 8705, section 3): it MUST NOT tell who the sender is, which is for its assertion.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import http_sf
from cryptography import x509
from starlette.types import Scope

Network = IPv4Network | IPv6Network

_HEADER = b"client-cert"
# A certificate has 0.5 to 3 kB; what is much longer is not worth a parser's time.
_LONGEST_BYTES = 16_384
# Every consumer has a certificate or a few; each request of a consumer carries the same bytes.
_REMEMBERED = 1024


class CertificateRefused(Exception):  # noqa: N818 - says what happened to the certificate
    """The proxy told of a certificate that does not count; the message is for people."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a certificate: its `x5t#S256` thumbprint, and its last second (Unix)."""

    thumbprint: str
    not_after_s: float


class ClientCertificates:
    """Tells the certificate of a request. Believes the proxies of these networks, and nobody by default."""

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        self._networks = tuple(trusted_proxies)
        self._trusts = lru_cache(maxsize=_REMEMBERED)(self._is_trusted)

    @property
    def accepted(self) -> bool:
        """Whether any certificate can count: without a trusted proxy none does."""
        return bool(self._networks)

    def presented(self, scope: Scope, now_s: float) -> str | None:
        """The thumbprint of the certificate with which this request came; None where it came with none.

        `now_s` is in Unix seconds. Raises CertificateRefused for one that has expired, or cannot be read, and
        for more than one.
        """
        peer = scope["client"]
        if not self._networks or peer is None or not self._trusts(peer[0]):
            return None
        fields = [value for name, value in scope["headers"] if name == _HEADER]
        if not fields:
            return None
        if len(fields) > 1:
            raise CertificateRefused(f"Exactly one Client-Cert header is needed, got {len(fields)}.")
        certificate = read_certificate(fields[0])
        # A proxy asks at the handshake, and a connection or a resumed session may outlive the certificate.
        if certificate.not_after_s < now_s:
            raise CertificateRefused("The client certificate has expired.")
        return certificate.thumbprint

    def required(self, scope: Scope, now_s: float) -> str:
        """As `presented`, for a request that needs a certificate: raises CertificateRefused without one."""
        thumbprint = self.presented(scope, now_s)
        if thumbprint is None:
            raise CertificateRefused("A TLS client certificate is needed, by way of a trusted proxy.")
        return thumbprint

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:  # a socket of this machine has no address
            return False
        # What listens on IPv6 sees IPv4 in its clothes.
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks)


@lru_cache(maxsize=_REMEMBERED)
def read_certificate(field: bytes) -> Certificate:
    """The certificate in the value of a `Client-Cert` header: the base64 of its DER between two colons.

    Raises CertificateRefused.
    """
    try:
        der = _byte_sequence(field)
        not_after = x509.load_der_x509_certificate(der).not_valid_after_utc
    except (ValueError, x509.InvalidVersion):
        raise CertificateRefused(
            "Client-Cert cannot be read: expected one DER certificate as a byte sequence (RFC 9440)."
        ) from None
    digest = hashlib.sha256(der).digest()
    return Certificate(urlsafe_b64encode(digest).rstrip(b"=").decode(), not_after.timestamp())


def _byte_sequence(field: bytes) -> bytes:
    """The value of a structured field that is one byte sequence (RFC 8941). Raises ValueError."""
    if len(field) > _LONGEST_BYTES:
        raise ValueError
    item: Any = http_sf.parse(field, tltype="item")
    value, _parameters = item
    if not isinstance(value, bytes):
        raise ValueError  # noqa: TRY004 - what came is wrong, not who called
    return value
