"""Policies into the store from files, so that git can be where they are written.

Texts pass byte for byte. Applying does with each text what its actor may do alone, and says of the rest what
remains and for whom; it MUST NOT end anything: a file that is gone is reported, and revoking is an act of its
own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gateway.agreements.folders import PolicyFile, read_folder
from gateway.agreements.lifecycle import IN_FORCE, OPEN, Act, Kind, Unmet, Version
from gateway.agreements.named import unregistered
from gateway.agreements.store import PolicyStore
from gateway.errors import NotFound
from gateway.staff.roles import Staff
from policies.change import Change
from policies.dictionary import Text

Outcome = Literal["unchanged", "draft", "submitted", "approved", "active", "held", "missing"]


# What its author has to mend; everything else that remains is for somebody to decide.
_TO_MEND = frozenset({"does_not_hold", "unreadable"})


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one text. `remains` is what keeps it from counting, and who can do something about it.

    `before` is the version that was in force, None if none was; `change` is against it, None where the text
    was not judged or cannot be read. `warnings` keep nothing from counting.
    """

    kind: Kind
    name: str
    outcome: Outcome
    version: int
    remains: tuple[Unmet, ...] = ()
    before: int | None = None
    change: Change | None = None
    warnings: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether the text has to be mended before anybody can do anything with it."""
        return any(one.code in _TO_MEND for one in self.remains)


@dataclass(frozen=True, slots=True)
class Way:
    """How texts are applied: as whom and why, and how far.

    With `activate` what narrows comes into force and what widens is submitted; without it all stay drafts.
    With `take_over` a draft that others wrote is gone on with, by which its author becomes one more.
    """

    actor: Staff
    reason: str = ""
    activate: bool = False
    take_over: bool = False


def apply_folder(
    store: PolicyStore, folder: Path, way: Way, only: Collection[tuple[Kind, str]] = ()
) -> list[Applied]:
    """Bring the texts of a folder into the store, as far as one person may; with `only` no others of it.

    Raises FileUnusable, NotFound (what `only` names is not in the folder), BadInput, ConditionsUnmet (the
    actor may not write), ChangedMeanwhile.
    """
    files = read_folder(folder)
    present = {(file.kind, file.name) for file in files}
    if absent := sorted(set(only) - present):
        named = ", ".join(f"{kind}/{name}" for kind, name in absent)
        raise NotFound(f"{folder}: expected {named} in it, got no such file: name what is there.")
    registered = store.consumers()
    applied = [
        _warned(_applied(store, file, way), file, registered, folder)
        for file in files
        if not only or (file.kind, file.name) in only
    ]
    if not only:
        in_force = [version for version in store.versions() if version.state == "active"]
        applied += [_missing(version) for version in in_force if (version.kind, version.name) not in present]
    return applied


def _warned(applied: Applied, file: PolicyFile, registered: Collection[str], folder: Path) -> Applied:
    """What became of a text, with what is odd about it where it is not in force already."""
    if applied.outcome == "unchanged":
        return applied
    return replace(applied, warnings=tuple(unregistered([file], registered, folder)))


def _applied(store: PolicyStore, file: PolicyFile, way: Way) -> Applied:
    versions = store.versions(file.kind, file.name)
    in_force = next((one for one in versions if one.state in IN_FORCE), None)
    if in_force is not None and _same(in_force, file):
        return Applied(file.kind, file.name, "unchanged", in_force.version)
    kept = _kept(store, file, versions, way)
    if isinstance(kept, Applied):
        return kept
    return _advanced(store, kept, in_force.version if in_force is not None else None, way)


def _kept(store: PolicyStore, file: PolicyFile, versions: Sequence[Version], way: Way) -> Version | Applied:
    """The open version that holds the text of a file, or what became of it where there is none to hold it."""
    being_made = next((one for one in versions if one.state in OPEN), None)
    if being_made is not None:
        if _same(being_made, file):
            return being_made
        others = being_made.editors - {way.actor.id}
        if being_made.state != "draft" or (others and not way.take_over):
            return Applied(file.kind, file.name, "held", being_made.version, (_worked_on(being_made),))
        return store.edit(
            *(file.kind, file.name, being_made.version, file.text, file.cases, way.actor),
            if_match=being_made.etag,
            reason=way.reason,
        )
    if versions and versions[0].state in _ENDED and _same(versions[0], file):
        return Applied(file.kind, file.name, "held", versions[0].version, (_ended(versions[0]),))
    return store.save_draft(file.kind, file.name, file.text, file.cases, way.actor, reason=way.reason)


def _advanced(store: PolicyStore, version: Version, before: int | None, way: Way) -> Applied:
    """As far as one person may take a version, and what then remains."""
    judgement = store.judge(version)
    possible = store.prospects(version, way.actor, judgement)
    remains = possible["activate"]
    act: Act | None = None
    if way.activate and not remains:
        act = "activate"
    elif way.activate and possible.get("submit") == ():
        act = "submit"
    if act is not None:
        version = store.act(
            *(version.kind, version.name, version.version, act, way.actor),
            reason=way.reason,
            if_match=version.etag,
        )
    outcome: Outcome = "draft"
    if version.state in {"submitted", "approved", "active"}:
        outcome = version.state
    if outcome != "active" and not remains:
        remains = (_not_in_force(version, way.actor),)
    return Applied(version.kind, version.name, outcome, version.version, remains, before, judgement.change)


def _same(version: Version, file: PolicyFile) -> bool:
    return (version.text, version.cases) == (file.text, file.cases)


def _missing(version: Version) -> Applied:
    remains = Unmet(
        "file_missing",
        Text(
            "Berlaku, tetapi tidak ada dalam folder; tidak ada yang diakhiri.",
            "In force, and not in the folder; nothing was ended.",
        ),
        Text(
            "Penyetuju atau operator: cabut (revoke), bila memang harus berakhir.",
            "An approver or operator: revoke it, if it is to end.",
        ),
    )
    return Applied(version.kind, version.name, "missing", version.version, (remains,))


def _not_in_force(version: Version, actor: Staff) -> Unmet:
    """Nothing keeps it from counting but that nobody has said so: one more act, which its actor may do."""
    policy_id = version.name if version.kind == "agreement" else f"{version.kind}/{version.name}"
    activate = f"`gapura agreements activate {policy_id} --as {actor.id}`"
    return Unmet(
        "not_in_force",
        Text(
            "Belum berlaku; tidak ada lagi yang menghalangi pemberlakuannya.",
            "Not in force yet; nothing keeps it from being activated.",
        ),
        Text(
            f"{actor.id}: {activate}, atau terapkan lagi dengan `apply --activate`.",
            f"{actor.id}: {activate}, or `apply --activate`.",
        ),
    )


def _worked_on(version: Version) -> Unmet:
    editors = ", ".join(sorted(version.editors))
    draft = version.state == "draft"
    return Unmet(
        "worked_on",
        Text(
            f"Versi {version.version} ({version.state}) dengan teks lain sedang dikerjakan oleh {editors}.",
            f"Version {version.version} ({version.state}) with another text is being worked on by {editors}.",
        ),
        Text(
            f"{editors}: selesaikan. Atau penulis mana pun: lanjutkan dengan teks ini (--take-over), atau "
            "buang (discard)."
            if draft
            else "Penulis: tarik kembali (withdraw) atau buang (discard), lalu terapkan lagi.",
            f"{editors}: finish it. Or any author: go on with this text (--take-over), or discard it."
            if draft
            else "An author: withdraw or discard it, then apply again.",
        ),
    )


_ENDED: frozenset[str] = frozenset({"revoked", "discarded"})


def _ended(version: Version) -> Unmet:
    """What was ended on purpose does not come back because its file is still there."""
    number, again = version.version, version.version + 1
    what = {
        "revoked": Text(
            f"Teks ini, versi {number}, sudah dicabut.", f"This text, version {number}, was revoked."
        ),
        "discarded": Text(
            f"Teks ini, versi {number}, sudah dibuang.", f"This text, version {number}, was discarded."
        ),
    }
    return Unmet(
        version.state,
        what[version.state],
        Text(
            f"Penulis: tulis `version: {again}` bila memang dimaksud lagi, atau pulihkan / hapus berkasnya.",
            f"An author: write `version: {again}` if it is meant again, or restore or remove the file.",
        ),
    )
