"""`gapura agreements`: what agreements say, whether they load, and whether their cases hold.

Reads files and nothing else: no database, no key, no network.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.civil_day import civil_day
from gateway.errors import SettingsInvalid
from gateway.settings import load_settings
from policies.agreement import Agreement, AgreementBook
from policies.cases import check_cases
from policies.errors import PolicyError
from policies.library import load_policies

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Data-sharing agreements: check them, list them, read one.

An agreement is one file, agreements/ID.yaml: one consumer, one purpose, and the fields it may receive.
Beside it stands agreements/ID.cases.yaml: given this person and this request, these fields come out. To
change what a ministry sees, change the agreement, raise its version, say in a case what you mean, and run
`check`. A running gateway read its agreements when it started: restart it, and the change counts.

\b
  gapura agreements check        does everything load, does every case hold
  gapura agreements list         who has which agreement, until when
  gapura agreements show ID      one agreement, clause by clause
""",
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        metavar="DIR",
        help="Folder with fields.yaml, programmes/, agreements/. Default: GAPURA_POLICIES, else the shipped.",
        file_okay=False,
        exists=True,
    ),
]


@app.command()
def check(policies: Folder = None) -> None:
    """Load every policy strictly and run the cases of every agreement.

    Mistakes are told as FILE:LINE: expected ..., got ..., write ...; all of them at once. Ends with 0 if
    everything loads and every case holds, with 1 if not.
    """
    folder = _folder(policies)
    try:
        checked = check_cases(folder / "agreements", _book(folder))
    except PolicyError as error:
        raise _told(error.problems) from error
    for one in checked:
        result = "holds" if not one.problems else f"{len(one.problems)} problems"
        print(f"{one.agreement.id:32} version {one.agreement.version:<3} {one.cases:3} cases  {result}")
    problems = [problem for one in checked for problem in one.problems]
    if problems:
        raise _told(problems)
    print(f"{len(checked)} agreements, {sum(one.cases for one in checked)} cases: all hold.")


@app.command("list")
def list_agreements(policies: Folder = None) -> None:
    """List every agreement: consumer, purpose, state, validity, operations and programmes."""
    for agreement in _book(_folder(policies)).agreements:
        may_ask = ", ".join(agreement.operations)
        if agreement.programmes:
            may_ask += f" ({', '.join(agreement.programmes)})"
        print(f"{agreement.id}  (version {agreement.version}, {agreement.standing(_today())})")
        print(f"    {agreement.consumer}, purpose {agreement.purpose}")
        print(f"    {agreement.valid_from} to {agreement.valid_until}, {may_ask}")


@app.command()
def show(
    agreement_id: Annotated[str, typer.Argument(metavar="ID", help="As `gapura agreements list` shows it.")],
    policies: Folder = None,
) -> None:
    """Show one agreement clause by clause: what leaves in which form, and what is withheld."""
    book = _book(_folder(policies))
    found = [agreement for agreement in book.agreements if agreement.id == agreement_id]
    if not found:
        known = ", ".join(agreement.id for agreement in book.agreements)
        raise _told([f"expected the id of an agreement, got another word, write one of {known}"])
    for line in _described(found[0], book):
        print(line)


def _described(agreement: Agreement, book: AgreementBook) -> list[str]:
    scope = agreement.scope
    clauses = {
        "title": agreement.title.id,
        "": agreement.title.en,
        "sha256": agreement.sha256,
        "standing": agreement.standing(_today()),
        "consumer": agreement.consumer,
        "purpose": agreement.purpose,
        "valid": f"{agreement.valid_from} to {agreement.valid_until}, both days included",
        "legal basis": "; ".join(agreement.legal_basis),
        "documents": ", ".join(f"{kind} {number}" for kind, number in agreement.documents.items()),
        "operations": ", ".join(agreement.operations),
        "programmes": ", ".join(agreement.programmes) or "none",
        "regions": "everywhere" if scope.regions is None else ", ".join(sorted(scope.regions)),
        "people": "anyone"
        if scope.enrolled_in is None
        else f"members of {', '.join(sorted(scope.enrolled_in))}",
        "per request": f"at most {agreement.subjects_per_request} persons",
        "pseudonym": agreement.pseudonym_sector or "none",
        "reasons": "given" if agreement.reasons else "not given",
        "source down": agreement.on_source_failure,
    }
    lines = [f"{agreement.id}, version {agreement.version}"]
    lines += [f"  {name:12} {clause}" for name, clause in clauses.items()]
    lines += ["  fields"]
    for name, transformation in agreement.fields.items():
        field = book.dictionary[name]
        lines.append(f"    {name:22} {transformation!s:42} {field.label.en} / {field.label.id}")
    return lines


def _today() -> date:
    return civil_day(datetime.now(UTC))


def _folder(policies: Path | None) -> Path:
    if policies is not None:
        return policies
    try:
        return load_settings().policies
    except SettingsInvalid as error:
        raise _told(error.problems) from error


def _book(folder: Path) -> AgreementBook:
    try:
        return load_policies(folder)
    except PolicyError as error:
        raise _told(error.problems) from error


def _told(problems: list[str]) -> typer.Exit:
    for problem in problems:
        print(problem)
    return typer.Exit(1)
