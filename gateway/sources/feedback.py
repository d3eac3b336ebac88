"""Data balikan: what the ministry returns to Dukcapil, from a file, in messages that are the same every time.

Dukcapil refuses what it has already. A delivery that was cut short is therefore begun again from the first
row: the file is cut at the same rows, and what had arrived is told apart from what arrives now. The file's
format is ours: a CSV with a column NIK and one for each parameter that the agreement with Dukcapil names.

A NIK MUST NOT be told to anybody but Dukcapil: people are named by the row in which they stand.
"""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from connectors.dukcapil.elements import is_identifier
from connectors.dukcapil.feedback import FeedbackEntry, FeedbackSettings, deliver_feedback
from connectors.transport.client import Transport
from connectors.transport.failures import Rejected, SourceFailure
from gateway.errors import FileUnusable

# Another number cuts the file at other rows, and Dukcapil would be sent what it has under a new wrapping.
ROWS_PER_MESSAGE = 100
# Three attempts of the 30 s that Dukcapil's users are told to wait for an answer.
_MESSAGE_TIMEOUT_S = 90.0
_MOST_PROBLEMS_TOLD = 20
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """What is returned about one person, and the row in which a spreadsheet shows it (the heading is 1)."""

    number: int
    entry: FeedbackEntry


@dataclass(slots=True)
class FeedbackReport:
    """What a delivery did, in people. `refused` are the first and last row of each message not taken.

    `stopped_at` is the row before which it ended early, and `cause` why; None where it came to the end.
    """

    delivered: int = 0
    already_there: int = 0
    refused: list[tuple[int, int]] = field(default_factory=list)
    stopped_at: int | None = None
    cause: str | None = None

    @property
    def complete(self) -> bool:
        """Whether Dukcapil has everything that was to be delivered."""
        return not self.refused and self.stopped_at is None


def read_feedback(path: Path) -> tuple[FeedbackRow, ...]:
    """Everybody in the file. A parameter without a value is not returned.

    Raises FileUnusable with every faulty row: nothing is delivered of a file of which something is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading = file.readline()
            file.seek(0)
            # Spreadsheets with Indonesian settings separate by semicolon.
            rows = list(csv.reader(file, delimiter=";" if ";" in heading else ",", strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileUnusable(f"{path} cannot be read as CSV in UTF-8 ({type(error).__name__}).") from None
    names = [name.strip() for name in rows[0]] if rows else []
    _check_heading(path, names)
    read, problems = _read_rows(names, rows)
    if problems:
        more = len(problems) - _MOST_PROBLEMS_TOLD
        told = [*problems[:_MOST_PROBLEMS_TOLD], *([f"and {more} more"] if more > 0 else [])]
        raise FileUnusable(
            f"{path}: nothing was delivered, for these rows are wrong:\n"
            + "\n".join(f"  - {p}" for p in told)
        )
    return tuple(read)


def _check_heading(path: Path, names: Sequence[str]) -> None:
    parameters = [name for name in names if name != "NIK"]
    named_once = len(set(names)) == len(names)
    if len(names) - len(parameters) != 1 or not parameters or not named_once:
        raise FileUnusable(
            f"{path}: the first row must name the column NIK and at least one parameter, each once."
        )
    if not all(map(_PARAMETER.fullmatch, parameters)):
        raise FileUnusable(f"{path}: a parameter's name has letters, digits and _, such as PKH.")


def _read_rows(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[FeedbackRow], list[str]]:
    read: list[FeedbackRow] = []
    problems: list[str] = []
    first_seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        values = dict(zip(names, (cell.strip() for cell in row), strict=False))
        nik = values.pop("NIK", "")
        parameters = {name: value for name, value in values.items() if value}
        if len(row) != len(names):
            problems.append(f"row {number} has {len(row)} cells, the heading {len(names)}")
        elif not is_identifier(nik):
            problems.append(f"row {number}: a NIK is 16 digits; was it read as a number and cut?")
        elif first_seen.setdefault(nik, number) != number:
            problems.append(f"row {number} is about the same NIK as row {first_seen[nik]}: join them")
        elif not parameters:
            problems.append(f"row {number} returns nothing: every parameter is empty")
        else:
            read.append(FeedbackRow(number, FeedbackEntry(nik, parameters)))
    return read, problems


async def deliver_rows(
    rows: Sequence[FeedbackRow],
    transport: Transport,
    settings: FeedbackSettings,
    progress: Callable[[int, int], None],
) -> FeedbackReport:
    """Deliver them, one message after another; `progress` hears how many people are done, and of how many.

    A message that Dukcapil refuses is noted and the next one goes out. Anything else that goes wrong ends the
    delivery: it would go wrong again. Never raises for a failure of the source.
    """
    report = FeedbackReport()
    done = 0
    for message in _messages(rows):
        deadline = asyncio.get_running_loop().time() + _MESSAGE_TIMEOUT_S
        try:
            said = await deliver_feedback(transport, settings, [row.entry for row in message], deadline)
        except SourceFailure as failure:
            if not (isinstance(failure, Rejected) and failure.status == _REFUSED):
                report.stopped_at, report.cause = message[0].number, failure.cause
                return report
            report.refused.append((message[0].number, message[-1].number))
        else:
            report.delivered += len(message) if said == "delivered" else 0
            report.already_there += len(message) if said == "already_delivered" else 0
        done += len(message)
        progress(done, len(rows))
    return report


def _messages(rows: Sequence[FeedbackRow]) -> Iterator[list[FeedbackRow]]:
    remaining = iter(rows)
    while message := list(islice(remaining, ROWS_PER_MESSAGE)):
        yield message
