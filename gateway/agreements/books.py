"""Two books side by side: the policies as they count now, and as they would with one version among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from gateway.agreements.judging import candidate
from gateway.agreements.lifecycle import Version
from gateway.agreements.reading import PolicyReader
from gateway.agreements.rows import texts_asked_by, texts_beside, texts_in_force
from gateway.errors import Conflict
from policies.agreement import Agreement, AgreementBook
from policies.dictionary import Text
from policies.errors import PolicyError


class DoesNotLoad(Conflict):
    """The version cannot be tried, because the policies do not load with it; `problems` says why."""

    code = "does_not_load"
    remedy = Text("Perbaiki baris-baris yang disebut.", "Mend the lines that are named.")

    def __init__(self, problems: Sequence[str]) -> None:
        told = "; ".join(problems)
        super().__init__(
            Text(
                f"Bersama versi ini kebijakan tidak dapat dimuat: {told}",
                f"With this version the policies do not load: {told}",
            )
        )
        self.problems = tuple(problems)

    @property
    def members(self) -> dict[str, list[str]]:
        """Every problem, as `file:line: expected ..., got ..., write ...`."""
        return {"problems": list(self.problems)}


@dataclass(frozen=True, slots=True)
class Books:
    """`before` is what decides requests now, `after` what would if `version` were active."""

    version: Version
    before: AgreementBook
    after: AgreementBook

    @property
    def agreement(self) -> Agreement | None:
        """The agreement that the version is; None for a version of another kind."""
        if self.version.kind != "agreement":
            return None
        return next(one for one in self.after.agreements if one.id == self.version.name)

    def first_day(self, today: date) -> date:
        """The day on which both are asked: today, or the version's first day if that is still to come."""
        return today if self.agreement is None else max(today, self.agreement.valid_from)


def both_books(
    connection: Connection, reader: PolicyReader, version: Version, asking: str | None = None
) -> Books:
    """The two books of a version. Raises DoesNotLoad, and PolicyError if those in force do not load.

    They hold what bears upon the questions of `asking`, a consumer; of everybody where it is None.
    """
    if version.kind == "agreement":
        written, named = (version.text, version.cases), [asking] if asking else []
        texts = texts_beside(connection, version.kind, version.name, *written, asking=named)
    else:
        texts = texts_in_force(connection) if asking is None else texts_asked_by(connection, [asking])
    before = reader.book(texts)
    try:
        after = reader.book(candidate(version.kind, version.name, version.text, texts, version.cases))
    except PolicyError as error:
        raise DoesNotLoad(error.problems) from None
    return Books(version, before, after)
