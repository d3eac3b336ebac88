"""Where policies are made: a store with the shipped policies in force, people of every role, and a clock."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gateway.agreements.lifecycle import Kind, Version
from gateway.agreements.store import PolicyStore
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.staff.roles import Staff, known_roles

SHIPPED = Path(__file__).parents[3] / "policies"
NAME = "bpjs-pbi-jk"
MORNING = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

ANI = Staff("ani", "Ani", known_roles(["author"]), "password")
ADE = Staff("ade", "Ade", known_roles(["author"]), "password")
OKA = Staff("oka", "Oka", known_roles(["approver"]), "password")
OKI = Staff("oki", "Oki", known_roles(["approver"]), "password")
ODA = Staff("oda", "Oda", known_roles(["operator"]), "password")
ADI = Staff("adi", "Adi", known_roles(["auditor"]), "password")
# Whoever has both roles must still not approve alone.
BUDI = Staff("budi", "Budi", known_roles(["author", "approver"]), "password")

NARROWER = ("  birth_date: {generalise: year}\n", "")
WIDER = ("birth_date: {generalise: year}", "birth_date: {generalise: year_month}")


@dataclass
class Clock:
    """A clock that moves by a second at each look, so that no two acts are at the same moment."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def numbered(text: str, version: int) -> str:
    """A text that gives itself this number."""
    return re.sub(r"(?m)^version: [0-9]+$", f"version: {version}", text, count=1)


def agreement_text(*edits: tuple[str, str], version: int = 2, name: str = NAME) -> bytes:
    """The shipped text with edits, numbered as the version it is to be."""
    return _edited((SHIPPED / "agreements" / f"{name}.yaml").read_text("utf-8"), edits, version)


def cases_text(*edits: tuple[str, str], name: str = NAME) -> bytes:
    """The shipped cases; without the birth date for an agreement that loses it, if edited so."""
    return _edited((SHIPPED / "agreements" / f"{name}.cases.yaml").read_text("utf-8"), edits, None)


def first_case(name: str) -> bytes:
    """The shipped cases without all but the first."""
    before, first, *_ = re.split(r"(?m)(?=^  - case:)", cases_text(name=name).decode())
    return (before + first).encode()


def rule_text(*edits: tuple[str, str], version: int = 2, name: str = "pbi-jk") -> bytes:
    """The shipped rule of a programme with edits, numbered as the version it is to be."""
    return _edited((SHIPPED / "programmes" / f"{name}.yaml").read_text("utf-8"), edits, version)


def narrower(version: int = 2) -> tuple[bytes, bytes]:
    """A text that releases no birth date, and cases that say so."""
    cases = re.sub(r'\s*birth_date: "[0-9]{4}",?(?=\s)', " ", cases_text().decode())
    cases = re.sub(r', birth_date: "[0-9]{4}"', "", cases)
    return agreement_text(NARROWER, version=version), cases.encode()


def wider(version: int = 2) -> tuple[bytes, bytes]:
    """A text that releases the birth date by its month, and cases that say so."""
    days = {"1990": "1990-07", "1985": "1985-01"}
    cases = cases_text().decode()
    for found in re.findall(r"birth_date: (\d{4})-(\d\d)-\d\d", cases):
        days[found[0]] = "-".join(found)
    return agreement_text(WIDER, version=version), re.sub(
        r'birth_date: "(\d{4})"', lambda m: f'birth_date: "{days[m[1]]}"', cases
    ).encode()


@dataclass
class Bureau:
    """One store over one database; `store` may be opened again, as another process would."""

    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.store = PolicyStore(self.database, self.clock)

    def seeded(self) -> Bureau:
        assert self.store.seed(SHIPPED)
        return self

    def draft(self, texts: tuple[bytes, bytes], actor: Staff = ANI, name: str = NAME) -> Version:
        return self.store.save_draft("agreement", name, *texts, actor)

    def in_force(self, kind: Kind = "agreement", name: str = NAME) -> Version:
        return self.store.get(kind, name)

    def acts(self) -> list[dict[str, Any]]:
        """The acts that the audit log holds, in their order."""
        with self.database.reading() as connection:
            rows = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence))
            return [json.loads(row) for row in rows.scalars()]


def _edited(text: str, edits: tuple[tuple[str, str], ...], version: int | None) -> bytes:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return (text if version is None else numbered(text, version)).encode()
