"""Time that passes when told to, and certificates that nobody else trusts."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class WarpedTime:
    """The event loop's own time, which sleeping moves on instead of waiting."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.slept: list[float] = []
        self._began = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s

    def utc(self) -> datetime:
        return self._began + timedelta(seconds=self.ahead_s)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> WarpedTime:
    return WarpedTime()


@dataclass(frozen=True)
class Certificate:
    """A certificate that vouches for itself, with its key, in one PEM file."""

    file: Path
    sha256: str

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


def make_certificate(file: Path, *names: x509.GeneralName) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a source of the tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Certificate(file, certificate.fingerprint(hashes.SHA256()).hex())


@pytest.fixture(scope="session")
def for_this_address(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(
        tmp_path_factory.mktemp("tls") / "address.pem", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    )


@pytest.fixture(scope="session")
def for_another_name(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(
        tmp_path_factory.mktemp("tls") / "name.pem", x509.DNSName("another.example.invalid")
    )
