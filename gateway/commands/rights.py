"""`gapura rights`: access histories, copies for a person, incidents, records of processing, usage reports.

A NIK is read from a file or from standard input, never from the command line, which others on the machine can
see. Who acts is named with `--as`, needs the role auditor, and is in the log.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from uuid import UUID

import typer

from gateway.audit.subject_index import SubjectIndex
from gateway.commands import incidents
from gateway.commands.auditor import AsAuditor, Reason, opened_for_auditor, write_private
from gateway.commands.opening import opened_database
from gateway.errors import BadInput, FileUnusable, NotFound
from gateway.rights.access import told
from gateway.rights.desk import Whom
from gateway.rights.history import consumer_names
from gateway.rights.pages import copy_as_html, copy_as_json, record_as_html
from gateway.rights.processing import Span, record_of_processing
from gateway.rights.usage_report import as_csv, usage_report
from gateway.rights.wording import HEAD_FOR_STAFF

if TYPE_CHECKING:
    from gateway.app import Services

app = typer.Typer(
    help="People's rights under UU 27/2022, and what is reported about use.", no_args_is_help=True
)
incidents.add_to(app)

Result = TypeVar("Result")

_NikFile = Annotated[
    Path | None,
    typer.Option(help="File that holds the person's NIK; - for standard input.", show_default=False),
]
_PersonId = Annotated[
    UUID | None, typer.Option(help="Instead of a NIK: the person's id.", show_default=False)
]
_Output = Annotated[Path, typer.Option(help="Where to write.", show_default=False)]


@app.command()
def history(
    acting_as: AsAuditor,
    reason: Reason,
    nik_file: _NikFile = None,
    person_id: _PersonId = None,
    before: Annotated[UUID | None, typer.Option(help="For older accesses: as the page before says.")] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
    language: Annotated[
        Literal["id", "en"], typer.Option(help="Of the text: id, Indonesian, or en, English.")
    ] = "id",
) -> None:
    """Show who looked at a person's record, the newest first. This look is recorded in it too."""
    whom = _whom(nik_file, person_id)
    with opened_for_auditor(acting_as) as (services, staff):
        people, page = _awaited(
            services, lambda: services.rights.desk.history(staff, whom, reason, before=before)
        )
        said = told(page, services.policies.present.dictionary, head=HEAD_FOR_STAFF)
    if output == "json":
        print(json.dumps({"people": [str(one) for one in people], **said}, ensure_ascii=False, indent=1))
        return
    for line in _history_lines(people, said, language):
        print(line)


def _history_lines(people: Sequence[UUID], said: Mapping[str, Any], language: str) -> Iterator[str]:
    """A page of a history as text, in one language."""
    in_english = language == "en"
    yield from (f"{'Person' if in_english else 'Orang'} {person}" for person in people)
    if len(people) != 1:
        yield (
            f"The registry knows {len(people)} people under this identifier."
            if in_english
            else f"Registri mengenal {len(people)} orang dengan pengenal ini."
        )
    yield said["words"][language]
    for access in said["accesses"]:
        yield f"  {access['words'][language]}"
        basis = "; ".join(access["legal_basis"]) or "-"
        yield f"    {access['purpose'] or '-'}; {basis}; {access['reference']}"
    if "before" in said:
        yield f"{'Older ones' if in_english else 'Yang lebih lama'}: --before {said['before']}"


@app.command()
def export(
    acting_as: AsAuditor,
    reason: Reason,
    nik_file: _NikFile = None,
    person_id: _PersonId = None,
    html: Annotated[Path | None, typer.Option(help="Where to write the printable page.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the JSON.")] = None,
) -> None:
    """Write everything that is held of a person and who received what, for that person (UU 27/2022 art. 7).

    The files can be read by you alone. Give them to the person, and to nobody else.
    """
    if html is None and json_file is None:
        raise BadInput("Expected --html FILE, --json FILE, or both.")
    whom = _whom(nik_file, person_id)
    with opened_for_auditor(acting_as) as (services, staff):
        copy = _awaited(services, lambda: services.rights.desk.copy(staff, whom, reason))
        dictionary = services.policies.present.dictionary
        if html is not None:
            write_private(html, copy_as_html(copy, dictionary))
        if json_file is not None:
            write_private(json_file, json.dumps(copy_as_json(copy, dictionary), ensure_ascii=False, indent=1))
    print(f"Copy {copy.reference}: {len(copy.held)} fields held, {len(copy.accesses)} accesses.")


@app.command()
def processing(
    agreement_id: Annotated[str, typer.Argument(metavar="AGREEMENT", show_default=False)],
    acting_as: AsAuditor,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (WIB).")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (WIB).")],
    output: _Output,
) -> None:
    """Write an agreement's record of processing (UU 27/2022 art. 31) as JSON, or as a page in a .html."""
    with opened_for_auditor(acting_as) as (services, _staff):
        book = services.policies.present
        agreement = next((one for one in book.agreements if one.id == agreement_id), None)
        if agreement is None:
            raise NotFound("There is no agreement of this id: see `gapura agreements list`.")
        names = consumer_names(services.database)
        recipient = names.get(agreement.consumer, agreement.consumer)
        span = Span(first.date(), last.date())
        record = record_of_processing(
            services.database, agreement, book.dictionary, recipient, span, datetime.now(UTC)
        )
    as_page = output.suffix == ".html"
    text = record_as_html(record) if as_page else json.dumps(record, ensure_ascii=False, indent=1)
    output.write_text(text, encoding="utf-8")
    print(f"{output} is the record of processing of {agreement_id}.")


@app.command()
def usage(
    semester: Annotated[str, typer.Argument(help="Such as 2026-S2.", show_default=False)],
    acting_as: AsAuditor,
    output: _Output,
) -> None:
    """Write the usage report that Dukcapil gets each semester: .json, or a table if it ends in .csv."""
    with opened_for_auditor(acting_as) as (services, _staff):
        report = usage_report(services.database, semester)
    as_table = output.suffix == ".csv"
    output.write_text(as_csv(report) if as_table else json.dumps(report, indent=1), encoding="utf-8")
    print(f"{output}: {report['calls']} calls in {semester}.")


@app.command()
def reindex() -> None:
    """Make the index of access histories anew from the log's entries. It says nothing that they do not."""
    with opened_database() as database:
        index = SubjectIndex(database)
        index.rebuild()
        while not index.step():
            pass
    print("The index is made anew.")


def _whom(nik_file: Path | None, person_id: UUID | None) -> Whom:
    if nik_file is None:
        return Whom(person_id=person_id)
    try:
        text = sys.stdin.read() if str(nik_file) == "-" else nik_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnusable(f"--nik-file cannot be read as text ({type(error).__name__}).") from None
    return Whom(nik=text.strip(), person_id=person_id)


def _awaited(services: Services, work: Callable[[], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        try:
            return await work()
        finally:
            await services.outside.aclose()

    return asyncio.run(run())
