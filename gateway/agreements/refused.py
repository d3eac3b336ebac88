"""Why an act with a policy is not done: conditions that are not met, or somebody else who was quicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.agreements.judging import Difference
from gateway.agreements.lifecycle import STATE_WORDS, Unmet, Version
from gateway.errors import Conflict
from policies.change import Change
from policies.dictionary import Text


class ConditionsUnmet(Conflict):
    """An act is not possible: `unmet` says which conditions fail and who can meet each."""

    code = "conditions_unmet"
    remedy = Text(
        "Setiap syarat dalam `unmet` menyebut siapa yang dapat memenuhinya.",
        "Each condition in `unmet` names who can meet it.",
    )

    def __init__(self, conditions: Sequence[Unmet]) -> None:
        super().__init__(
            Text(
                " ".join(f"{one.what.id} ({one.who.id})" for one in conditions),
                " ".join(f"{one.what.en} ({one.who.en})" for one in conditions),
            )
        )
        self.unmet = tuple(conditions)

    @property
    def members(self) -> dict[str, Any]:
        """The conditions, each with who can meet it."""
        return {"unmet": [in_both_languages(one) for one in self.unmet]}


class ChangedMeanwhile(Conflict):
    """Somebody else changed the version since it was read; `present` is how it stands, nothing was lost.

    `difference` leads from the present text to the one that was sent, if one was.
    """

    code = "changed_meanwhile"
    remedy = Text(
        "Baca lagi versinya, satukan perubahan Anda ke dalamnya, lalu simpan lagi.",
        "Read it again, bring your change into it, and save it again.",
    )

    def __init__(self, present: Version, by: str, difference: Difference | None = None) -> None:
        state = STATE_WORDS[present.state]
        super().__init__(
            Text(
                f"Versi {present.version} dari {present.name} sementara itu diubah oleh {by}, dan kini "
                f"{state.id}.",
                f"Version {present.version} of {present.name} was changed meanwhile by {by}, and is now "
                f"{state.en}.",
            )
        )
        self.present = present
        self.difference = difference
        if present.state != "draft":
            self.remedy = _NO_DRAFT_ANY_MORE if difference is not None else _READ_AGAIN

    @property
    def members(self) -> dict[str, Any]:
        """The ETag that counts now, and what the sender's text would change in the present one."""
        told: dict[str, Any] = {"present_etag": self.present.etag, "present_version": self.present.version}
        told["present_state"] = self.present.state
        if self.difference is not None:
            told["difference"] = difference_in_words(self.difference)
        return told


_NO_DRAFT_ANY_MORE = Text(
    "Versi ini bukan rancangan lagi, sehingga perubahan Anda tidak dapat disimpan lagi ke dalamnya. Salin "
    "yang Anda perlukan; tarik versinya kembali menjadi rancangan, atau mulai rancangan baru.",
    "This version is no longer a draft, so that your change cannot be saved in it any more. Copy what you "
    "need; take the version back into draft, or begin a new one.",
)
_READ_AGAIN = Text("Baca lagi versinya sebelum bertindak.", "Read the version again before you act.")


def difference_in_words(difference: Difference) -> dict[str, Any]:
    """A difference for programmes and people: its direction, each clause in both languages, and the lines."""
    change = difference.change
    return {
        "direction": change.direction if change is not None else None,
        "items": changed_clauses(change),
        "lines": list(difference.lines),
    }


def changed_clauses(change: Change | None) -> list[dict[str, Any]]:
    """What differs, clause by clause; empty where it is not known."""
    return [
        {"path": item.path, "way": item.way, "words": _both(item.words)}
        for item in (change.items if change is not None else ())
    ]


def in_both_languages(condition: Unmet) -> dict[str, Any]:
    """A condition for programmes and people."""
    return {"code": condition.code, "what": _both(condition.what), "who": _both(condition.who)}


def _both(text: Text) -> dict[str, str]:
    return {"id": text.id, "en": text.en}
