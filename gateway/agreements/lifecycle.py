"""The life of a policy text, from draft to its end: which acts there are, and who may do them when. Pure.

    draft -> submitted -> approved -> active -> superseded | suspended | revoked
    draft  | submitted  | approved -> discarded

Nothing is ever deleted: what never counted ends as `discarded`. `expired` is not a state that is stored: an
active agreement whose last day is over stands as expired by the clock. Narrowing takes effect with one
person; widening needs an approver who wrote no part of it, and an API token is not a person. This module
judges; it MUST NOT be asked whether two texts differ in reach, which `policies.change` computes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

from gateway.staff.roles import Role, Staff
from policies.change import Change
from policies.checklist import MissingDocument
from policies.dictionary import Text

Kind = Literal["agreement", "programme", "dictionary"]
State = Literal["draft", "submitted", "approved", "active", "superseded", "suspended", "revoked", "discarded"]
Act = Literal[
    "edit", "submit", "withdraw", "approve", "refuse", "discard", "activate", "suspend", "resume", "revoke"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
ACTS: tuple[Act, ...] = get_args(Act)

# What each kind is called, as sentences say it: "there is no ...".
KIND_WORDS: Mapping[Kind, Text] = {
    "agreement": Text("perjanjian", "agreement"),
    "programme": Text("aturan program", "programme"),
    "dictionary": Text("kamus data", "dictionary"),
}
# What a version in each state is, as sentences say it: "which is ...".
STATE_WORDS: Mapping[State, Text] = {
    "draft": Text("masih rancangan", "a draft"),
    "submitted": Text("menunggu persetujuan", "waiting for approval"),
    "approved": Text("sudah disetujui", "approved"),
    "active": Text("sedang berlaku", "in force"),
    "superseded": Text("sudah diganti", "superseded"),
    "suspended": Text("sedang dibekukan", "suspended"),
    "revoked": Text("sudah dicabut", "revoked"),
    "discarded": Text("sudah dibuang", "discarded"),
}
# Still being worked on: at most one such version of a policy exists at a time.
OPEN: frozenset[State] = frozenset({"draft", "submitted", "approved"})
# Decides requests, or says why none is answered.
IN_FORCE: frozenset[State] = frozenset({"active", "suspended"})

_NEXT: Mapping[tuple[State, Act], State] = {
    ("draft", "edit"): "draft",
    ("draft", "submit"): "submitted",
    ("draft", "discard"): "discarded",
    ("draft", "activate"): "active",  # narrowing only
    ("submitted", "withdraw"): "draft",
    ("submitted", "refuse"): "draft",
    ("submitted", "discard"): "discarded",
    ("submitted", "approve"): "approved",
    ("submitted", "activate"): "active",  # narrowing only
    ("approved", "withdraw"): "draft",
    ("approved", "discard"): "discarded",
    ("approved", "activate"): "active",
    ("active", "suspend"): "suspended",
    ("active", "revoke"): "revoked",
    ("suspended", "resume"): "active",
    ("suspended", "revoke"): "revoked",
}
ROLES_FOR: Mapping[Act, tuple[Role, ...]] = {
    "edit": ("author",),
    "submit": ("author",),
    "withdraw": ("author",),
    "approve": ("approver",),
    "refuse": ("approver",),
    # Whoever has left cannot discard: any author does, and an approver, who could refuse it anyway.
    "discard": ("author", "approver"),
    "activate": ("author", "approver", "operator"),
    "suspend": ("approver", "operator"),
    "resume": ("approver",),
    "revoke": ("approver", "operator"),
}
# What only an agreement can be: without its dictionary or rule no other policy could be read.
_AGREEMENTS_ONLY: frozenset[Act] = frozenset({"suspend", "resume", "revoke"})
NEEDS_REASON: frozenset[Act] = frozenset({"refuse", "discard", "suspend", "resume", "revoke", "withdraw"})
# What moves a version towards counting. The others take back, and MUST be possible whatever the texts say.
JUDGED: frozenset[Act] = frozenset({"submit", "approve", "activate", "resume"})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a policy text. Moments are UTC.

    `editors` are all who wrote any part of it, the author among them; `suspended_by` who suspended it last.
    `cases` is the text of an agreement's cases, empty where there is none.
    """

    kind: Kind
    name: str
    version: int
    state: State
    sha256: str
    author: str
    editors: frozenset[str]
    approver: str | None
    suspended_by: str | None
    reason: str
    created_at: datetime
    changed_at: datetime
    text: bytes
    cases: bytes

    @property
    def etag(self) -> str:
        """Names this state of this version: whoever acts on another one acts on something else."""
        standing = f"{self.state} {self.changed_at.isoformat()} {self.sha256} ".encode()
        return hashlib.sha256(standing + self.cases).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that is not met, what it is about, and who can meet it. `code` is stable."""

    code: str
    what: Text
    who: Text


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a version when an act is asked for.

    `change` is against the version in force, None while the texts cannot be read. `problems` is why the texts
    in force would not load or their cases not hold with this version among them, `missing` the documents that
    the checklist wants. `valid_until` is the agreement's last day, None for other kinds. `same` is whether
    what is in force says the same already, word for word.
    """

    change: Change | None
    problems: Sequence[str]
    missing: Sequence[MissingDocument]
    valid_until: date | None
    same: bool = False

    @property
    def documents(self) -> Sequence[MissingDocument] | None:
        """The documents that are missing; None while the texts cannot be read, so that nobody knows."""
        return None if self.change is None else self.missing


NOT_JUDGED = Judgement(Change(()), (), (), None)


def next_state(state: State, act: Act) -> State | None:
    """The state that an act leads to, or None where it makes no sense in this state."""
    return _NEXT.get((state, act))


def acts_possible(kind: Kind, state: State) -> tuple[Act, ...]:
    """What can be done with a version in this state, whoever may do it."""
    return tuple(
        act for act in ACTS if (state, act) in _NEXT and (kind == "agreement" or act not in _AGREEMENTS_ONLY)
    )


def may_resume(version: Version, approvers: Iterable[str]) -> tuple[str, ...]:
    """Who of the approvers can have a suspended version answer again: neither wrote nor suspended it."""
    return tuple(sorted(set(approvers) - version.editors - {version.suspended_by}))


def unmet(
    act: Act, version: Version, actor: Staff, reason: str, judgement: Judgement, today: date
) -> tuple[Unmet, ...]:
    """Every condition that keeps `actor` from this act; empty if it may be done.

    An act that is not among `JUDGED` is not asked about the texts: NOT_JUDGED will do.
    """
    if act not in acts_possible(version.kind, version.state):
        return (_wrong_state(act, version),)
    return tuple(_unmet(act, version, actor, reason, judgement, today))


def _unmet(
    act: Act, version: Version, actor: Staff, reason: str, judgement: Judgement, today: date
) -> Iterator[Unmet]:
    if not actor.roles.intersection(ROLES_FOR[act]):
        yield _role_missing(act)
    if act in NEEDS_REASON and not reason.strip():
        yield _REASON_MISSING
    if act in {"approve", "resume"}:
        yield from _second_person(act, version, actor)
        if actor.by_token:
            yield _person_needed(act)
    if act in JUDGED:
        yield from (_problem(problem) for problem in judgement.problems)
    if act in {"activate", "resume"}:
        yield from (_document(document) for document in judgement.missing)
        if judgement.valid_until is not None and judgement.valid_until < today:
            yield _over(judgement.valid_until)
    if judgement.same and act in {"submit", "activate"}:
        yield _SAME
    if act == "activate":
        yield from _opening(version, actor, judgement.change)


def _opening(version: Version, actor: Staff, change: Change | None) -> Iterator[Unmet]:
    """What a version that opens needs beside its text; of one that cannot be read nobody knows."""
    if change is None:
        yield _UNREADABLE
    elif change.direction == "widening":
        if version.state != "approved":
            yield _widens(change)
        if actor.by_token:
            yield _person_needed("activate")


def _second_person(act: Act, version: Version, actor: Staff) -> Iterator[Unmet]:
    """Nobody opens alone: who wrote it does not approve it, who closed it does not reopen it."""
    if actor.id in version.editors:
        yield Unmet(
            "second_person",
            Text(
                "Orang yang menulis bagian mana pun dari versi ini tidak dapat menyetujuinya.",
                "Whoever wrote any part of this version cannot approve it.",
            ),
            Text("Penyetuju lain yang tidak ikut menulis.", "Another approver, who wrote no part of it."),
        )
    if act == "resume" and actor.id == version.suspended_by:
        yield Unmet(
            "second_person",
            Text(
                "Orang yang membekukan perjanjian tidak dapat memberlakukannya kembali seorang diri.",
                "Whoever suspended the agreement cannot reinstate it alone.",
            ),
            Text("Penyetuju lain.", "Another approver."),
        )


def _wrong_state(act: Act, version: Version) -> Unmet:
    possible = ", ".join(acts_possible(version.kind, version.state)) or "none"
    return Unmet(
        "wrong_state",
        Text(
            f"`{act}` tidak berlaku bagi versi {version.version} yang {STATE_WORDS[version.state].id}; "
            f"yang mungkin: {possible}.",
            f"`{act}` does not apply to version {version.version}, which is {STATE_WORDS[version.state].en}; "
            "possible: "
            f"{possible}.",
        ),
        Text("Tidak seorang pun, dalam status ini.", "Nobody, in this state."),
    )


def _role_missing(act: Act) -> Unmet:
    roles = " / ".join(ROLES_FOR[act])
    return Unmet(
        "role_missing",
        Text(f"`{act}` memerlukan peran {roles}.", f"`{act}` needs the role {roles}."),
        Text(f"Pemegang peran {roles}.", f"A holder of the role {roles}."),
    )


def _person_needed(act: Act) -> Unmet:
    roles = " / ".join(ROLES_FOR[act])
    return Unmet(
        "person_needed",
        Text(
            f"`{act}` atas yang membuka lebih banyak tidak dilakukan dengan token API: yang memeriksa harus "
            "orang.",
            f"`{act}` of what opens more is not done with an API token: it takes a person to look at it.",
        ),
        Text(
            f"Pemegang peran {roles}, yang masuk sendiri (bukan dengan token).",
            f"A holder of the role {roles} who signs in, not with a token.",
        ),
    )


_REASON_MISSING = Unmet(
    "reason_missing",
    Text("Tindakan ini memerlukan alasan.", "This act needs a reason."),
    Text("Anda: sertakan alasannya.", "You: say why."),
)


_UNREADABLE = Unmet(
    "unreadable",
    Text(
        "Bersama versi ini kebijakan tidak dapat dibaca, sehingga belum diketahui apa yang dibukanya.",
        "With this version the policies cannot be read, so what it opens is not known yet.",
    ),
    Text(
        "Penulis: perbaiki kesalahan yang disebut per baris.",
        "An author: mend the mistakes that are told by line.",
    ),
)


_SAME = Unmet(
    "same_as_in_force",
    Text(
        "Versi ini sama dengan yang sedang berlaku: tidak ada yang berubah bila diberlakukan.",
        "This version says the same as the one in force: putting it into force would change nothing.",
    ),
    Text(
        "Penulis: ubah rancangannya, atau hentikan versi ini.",
        "An author: change the draft, or give this version up.",
    ),
)


def _problem(problem: str) -> Unmet:
    return Unmet(
        "does_not_hold",
        Text(problem, problem),
        Text("Penulis: perbaiki teks atau kasusnya.", "An author: mend the text or its cases."),
    )


def _document(document: MissingDocument) -> Unmet:
    return Unmet(
        "document_missing",
        Text(
            f"Dokumen belum disebut: {document.why.id}",
            f"A document is not named: {document.why.en}",
        ),
        Text("Penulis, setelah dokumennya ada.", "An author, once the document exists."),
    )


def _over(last_day: date) -> Unmet:
    return Unmet(
        "validity_over",
        Text(f"Masa berlakunya berakhir pada {last_day}.", f"Its validity ended on {last_day}."),
        Text("Penulis: versi baru dengan masa berlaku baru.", "An author: a new version with new dates."),
    )


def _widens(change: Change) -> Unmet:
    wider = [item for item in change.items if item.way != "narrower"]
    return Unmet(
        "widening_needs_approval",
        Text(
            "Versi ini membuka lebih banyak: " + " ".join(item.words.id for item in wider),
            "This version opens more: " + " ".join(item.words.en for item in wider),
        ),
        Text(
            "Penyetuju yang tidak ikut menulisnya, setelah versi ini diajukan.",
            "An approver who wrote no part of it, once it is submitted.",
        ),
    )
