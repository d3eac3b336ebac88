"""The certificate of a request: whose word for it counts, and what of it."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import http_sf
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from gateway.oauth.certificates import CertificateRefused, ClientCertificates, read_certificate
from tests.certificates import Authority, Issued

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
HOLDER = Authority().issue("bpjs-kesehatan", until=NOW + timedelta(seconds=30))
FIELD = HOLDER.client_cert.encode()
SEEN = ClientCertificates([ip_network("10.20.0.0/28"), ip_network("2001:db8::/64")])


def presented(
    *fields: bytes,
    peer: str | None = "10.20.0.3",
    at: datetime = NOW,
    seen: ClientCertificates = SEEN,
    name: bytes = b"client-cert",
) -> str | None:
    scope = {
        "type": "http",
        "client": None if peer is None else (peer, 40_000),
        "headers": [(b"host", b"x"), *((name, field) for field in fields)],
    }
    return seen.presented(scope, at.timestamp())


def test_the_certificate_that_a_trusted_proxy_names_is_known_by_its_thumbprint() -> None:
    for peer in ("10.20.0.3", "10.20.0.15", "::ffff:10.20.0.3", "2001:db8::7"):
        assert presented(FIELD, peer=peer) == HOLDER.thumbprint, peer


def test_nobody_else_can_say_who_has_which_certificate() -> None:
    for peer in ("10.20.0.16", "127.0.0.1", "::1", "::ffff:10.20.0.16", "2001:db8:1::7", "proxy", "", None):
        assert presented(FIELD, peer=peer) is None, peer
        assert presented(b"rubbish", FIELD, peer=peer) is None, peer


def test_by_default_nobody_is_trusted_and_no_certificate_counts() -> None:
    assert not ClientCertificates().accepted
    assert presented(FIELD, seen=ClientCertificates()) is None
    with pytest.raises(CertificateRefused, match="needed"):
        ClientCertificates().required({"client": ("127.0.0.1", 1), "headers": []}, 0)


def test_a_header_of_a_similar_name_is_another_header() -> None:
    for name in (b"client_cert", b"x-client-cert", b"client-cert-chain"):
        assert presented(FIELD, name=name) is None


def test_two_certificates_are_one_too_many() -> None:
    for fields in ((FIELD, FIELD), (FIELD, b""), (FIELD + b", " + FIELD,)):
        with pytest.raises(CertificateRefused):
            presented(*fields)


def test_a_certificate_counts_until_its_last_second() -> None:
    assert presented(FIELD, at=NOW + timedelta(seconds=30)) == HOLDER.thumbprint
    for at in (NOW + timedelta(seconds=31), NOW + timedelta(days=400)):
        with pytest.raises(CertificateRefused, match="expired"):
            presented(FIELD, at=at)


def _field(der: bytes) -> bytes:
    return b":" + base64.b64encode(der) + b":"


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"::",
        b":",
        b"rubbish",
        b'"a text"',
        b"7",
        b"7.5",
        b"?1",
        b"@1",
        FIELD[1:],
        FIELD[:-1],
        base64.b64encode(HOLDER.der),
        HOLDER.certificate.public_bytes(serialization.Encoding.PEM),
        b"(" + FIELD + b")",
        FIELD.replace(b"A", b"\xff"),
        FIELD[:40] + b" " + FIELD[40:],
        _field(HOLDER.der[:-1]),
        _field(HOLDER.der + b"\x00"),
        _field(HOLDER.der * 2),
        _field(b"\x30\x00"),
        _field(b"\x00" * 20_000),
    ],
    ids=map(str, itertools.count()),  # the fields are others in every process
)
def test_what_is_no_certificate_is_refused(field: bytes) -> None:
    with pytest.raises(CertificateRefused, match="cannot be read"):
        presented(field)


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_to_be_refused(noise: bytes) -> None:
    for field in (noise, _field(noise), FIELD[:50] + noise + FIELD[50:]):
        if field != FIELD:
            with pytest.raises(CertificateRefused):
                read_certificate(field)


@given(st.integers(0, len(HOLDER.der) - 1), st.integers(1, 255))
def test_a_certificate_that_differs_in_a_bit_has_another_thumbprint(position: int, change: int) -> None:
    der = bytearray(HOLDER.der)
    der[position] ^= change
    try:
        thumbprint = read_certificate(_field(bytes(der))).thumbprint
    except CertificateRefused:
        return
    assert thumbprint != HOLDER.thumbprint


@pytest.mark.parametrize("spaces", [b"", b" ", b"   "])
def test_however_a_proxy_writes_the_field_the_certificate_is_the_same(spaces: bytes) -> None:
    written = http_sf.ser(HOLDER.der).encode()  # by a library, not by the tests' own hand
    for field in (spaces + written + spaces, written + b";a=1", written.replace(b"=:", b":")):
        assert read_certificate(field).thumbprint == HOLDER.thumbprint


def test_different_certificates_of_one_holder_are_different() -> None:
    authority = Authority()
    renewed: list[Issued] = [authority.issue("bpjs-kesehatan") for _ in range(2)]
    assert len({read_certificate(one.client_cert.encode()).thumbprint for one in renewed}) == 2


def test_what_is_remembered_is_bounded() -> None:
    size = read_certificate.cache_info().maxsize
    assert size is not None
    for number in range(size + 10):
        assert read_certificate(b"%b;a=%d" % (FIELD, number)).thumbprint == HOLDER.thumbprint
    assert read_certificate.cache_info().currsize == size
