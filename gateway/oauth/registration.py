"""What a registration says of a consumer, what makes it acceptable, and which changes open more. Pure.

Whatever opens more needs a second person: a consumer itself, a wider jurisdiction, another sector (whose
pseudonyms would then be known to two), real people after synthetic ones, a certificate in place of a proof
for each request, and a key, which is a way in.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

from gateway.oauth import jose
from gateway.oauth.jurisdiction import lies_within, problems_of_regions
from policies.dictionary import Text

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
# A sector stands in every pseudonym between two dots.
_SECTOR = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_MAX_NAME_CHARS = 200

State = Literal["proposed", "active", "disabled"]
KeyStanding = Literal["awaiting_approval", "not_yet_good", "good", "ended"]


@dataclass(frozen=True, slots=True)
class Consumer:
    """An agency's OAuth client, established by its token. No `regions` means the whole country.

    In the `sandbox` it is answered from synthetic people only. If it is `certificate_bound`, its tokens are
    good with its TLS client certificate alone (RFC 8705), else with proofs of a DPoP key alone (RFC 9449).
    """

    id: str
    name: str
    sector: str
    regions: tuple[str, ...]
    sandbox: bool = False
    certificate_bound: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """Where the agency is reached: an office, and the e-mail address of a function, of no private person."""

    office: str
    email: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a registration; None leaves a part as it is."""

    sector: str | None = None
    regions: tuple[str, ...] | None = None
    sandbox: bool | None = None
    certificate_bound: bool | None = None

    @classmethod
    def stored(cls, values: Mapping[str, Any] | None) -> Change:
        """The change that `parts` made these values of."""
        said = dict(values or {})
        if "regions" in said:
            said["regions"] = tuple(said["regions"])
        return cls(**said)

    @classmethod
    def making(cls, consumer: Consumer) -> Change:
        """The change that says all that this consumer is allowed."""
        return cls(consumer.sector, consumer.regions, consumer.sandbox, consumer.certificate_bound)

    @property
    def parts(self) -> Mapping[str, Any]:
        """What it says something about, and what."""
        said = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: value for name, value in said.items() if value is not None}

    def applied_to(self, consumer: Consumer) -> Consumer:
        """The consumer as it would be."""
        return replace(consumer, **self.parts)

    def without(self, names: Container[str]) -> Change:
        """The rest of the change."""
        return Change(**{name: value for name, value in self.parts.items() if name not in names})

    def widening(self, present: Consumer) -> Change:
        """The part of the change that opens more than is open now."""
        wider = {
            "sector": self.sector not in {None, present.sector},
            "regions": self.regions is not None and not lies_within(self.regions, present.regions),
            "sandbox": self.sandbox is False and present.sandbox,
            # A proof is good once, a certificate for every request that its holder ever makes.
            "certificate_bound": self.certificate_bound is True and not present.certificate_bound,
        }
        return self.without([name for name, widens in wider.items() if not widens])


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key of a consumer. Accepted from `not_before` until before `not_after` (UTC; None: no end).

    While `approved_by` is None it waits for a second person and is not accepted. `overlap_days` then says for
    how long the consumer's other keys stay good once it counts; None leaves them alone.
    """

    kid: str
    public: jose.PublicKey
    added_at: datetime
    added_by: str
    approved_by: str | None
    not_before: datetime
    not_after: datetime | None
    overlap_days: int | None

    def standing(self, now: datetime) -> KeyStanding:
        """Whether an assertion by this key is accepted now, and if not, why."""
        if self.approved_by is None:
            return "awaiting_approval"
        if now < self.not_before:
            return "not_yet_good"
        return "good" if self.not_after is None or now < self.not_after else "ended"


@dataclass(frozen=True, slots=True)
class Registration:
    """A consumer as the gateway knows it. `version` rises with every change and is the ETag of the API.

    `waiting` is the change that a second person has not approved yet; `proposers` are the ids of all who had
    a hand in what waits. `approved_by` is None until the consumer was approved for the first time;
    `disabled_by` is None while it is not disabled.
    """

    consumer: Consumer
    state: State
    registered_at: datetime
    keys: Mapping[str, RegisteredKey]
    contact: Contact | None = None
    version: int = 1
    waiting: Change = field(default_factory=Change)
    proposers: frozenset[str] = frozenset()
    approved_by: str | None = None
    disabled_by: str | None = None

    @property
    def active(self) -> bool:
        """Whether it may call."""
        return self.state == "active"


def is_consumer_id(text: str) -> bool:
    """Whether a consumer could have this id."""
    return _ID.fullmatch(text) is not None


def problems_of(consumer: Consumer, contact: Contact | None = None) -> Iterator[Text]:
    """Everything that makes a registration unacceptable; of what was given, only region codes are told."""
    if not is_consumer_id(consumer.id):
        yield Text(
            "id: diharapkan 1 sampai 64 dari a-z, 0-9 dan -, seperti bpjs-kesehatan",
            "id: expected 1 to 64 of a-z, 0-9 and -, such as bpjs-kesehatan",
        )
    if not _is_line(consumer.name):
        yield Text(
            f"nama: diharapkan 1 sampai {_MAX_NAME_CHARS} karakter biasa dalam satu baris",
            f"name: expected 1 to {_MAX_NAME_CHARS} printable characters",
        )
    if not _SECTOR.fullmatch(consumer.sector):
        yield Text(
            "sektor: diharapkan 1 sampai 32 dari a-z, 0-9 dan -, diawali huruf, seperti kesehatan",
            "sector: expected 1 to 32 of a-z, 0-9 and -, beginning with a letter, such as kesehatan",
        )
    yield from problems_of_regions(consumer.regions)
    if contact is not None and not _is_line(contact.office):
        yield Text(
            f"unit: diharapkan 1 sampai {_MAX_NAME_CHARS} karakter biasa, seperti Direktorat Kepesertaan",
            f"office: expected 1 to {_MAX_NAME_CHARS} printable characters, such as Direktorat Kepesertaan",
        )
    if contact is not None and not _EMAIL.fullmatch(contact.email):
        yield Text(
            "email: diharapkan satu alamat jabatan, seperti integrasi@example.go.id",
            "email: expected one address of a function, such as integrasi@example.go.id",
        )


def thumbprints(keys: Mapping[str, jose.PublicKey]) -> Sequence[str]:
    """The RFC 7638 thumbprints of keys by kid: what makes one public key the same as another."""
    return [key.thumbprint for key in keys.values()]


def _is_line(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _MAX_NAME_CHARS and text.isprintable()
