"""What the doctor says: one sentence for each thing looked at, and what to do where it is not well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["good", "notice", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands. `notice` is worth a look by day; `wrong` must not wait; `do` says what to do."""

    about: str
    level: Level
    said: str
    do: str = ""

    def __post_init__(self) -> None:
        """Refuse to leave an operator alone with bad news."""
        if self.level != "good" and not self.do:
            raise ValueError(f"{self.about}: a finding that is not good says what to do")

    @property
    def as_json(self) -> dict[str, str]:
        """For programs; `do` is empty where nothing is to be done."""
        return asdict(self)


def good(about: str, said: str) -> Finding:
    """All is well."""
    return Finding(about, "good", said)


def graded(about: str, said: str, do: str, *, wrong: bool, notice: bool = False) -> Finding:
    """Wrong, or worth a notice, or else good."""
    if wrong or notice:
        return Finding(about, "wrong" if wrong else "notice", said, do)
    return Finding(about, "good", said)


def is_ill(findings: Iterable[Finding]) -> bool:
    """Whether anything must not wait, or could not even be looked at."""
    return any(finding.level in {"wrong", "unknown"} for finding in findings)
