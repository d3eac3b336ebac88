"""`gapura agreements`: what agreements say, how they came about and differ, and files in and out.

The acts by which versions come into force are in `policy_acts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.agreements.exporting import export_folder
from gateway.agreements.files import Way, apply_folder
from gateway.agreements.folders import read_folder
from gateway.agreements.lifecycle import IN_FORCE, OPEN, Kind, Version
from gateway.agreements.named import unknown_regions, unregistered
from gateway.agreements.numbering import not_raised
from gateway.agreements.reading import DICTIONARY_NAME
from gateway.agreements.refused import difference_in_words
from gateway.agreements.store import PolicyStore
from gateway.civil_day import civil_day
from gateway.commands import policy_acts, trying
from gateway.commands.policy_store import (
    As,
    Format,
    OpenStore,
    PolicyId,
    Reason,
    kept_here,
    now,
    opened_store,
    policy,
    print_json,
    print_lines,
)
from gateway.commands.policy_words import (
    agreement_lines,
    applied_facts,
    applied_lines,
    difference_lines,
    done_line,
    suspension_facts,
    suspension_lines,
    version_facts,
    version_line,
    warning_lines,
)
from gateway.errors import SettingsInvalid
from gateway.settings import load_settings
from policies.agreement import Agreement, AgreementBook, parse_agreement
from policies.cases import check_cases
from policies.errors import PolicyError
from policies.library import load_policies

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Data-sharing agreements, programme rules, the field dictionary: from draft to end.

An agreement is one text, agreements/ID.yaml: one consumer, one purpose, and the fields it may receive. Beside
it stands agreements/ID.cases.yaml: given this person and this request, these fields come out. Every version
is kept, with who wrote and who approved it. A change counts on every worker at the next request.

\b
  draft      somebody writes; `diff ID` says what would change for whom
  submitted  it waits for an approver who wrote no part of it
  approved   it may be activated
  active     it decides requests; a draft that only narrows may go here
  suspended  nothing is answered until another approver resumes it
  over       superseded by a version, revoked by an act, expired by its days;
             discarded if it never counted

\b
  gapura agreements check DIR              does all load, do all cases hold
  gapura agreements apply DIR --as ani     keep changed files as drafts
  gapura agreements approve ID --as oka    the second person
  gapura agreements activate ID --as ani   it counts from the next request
""",
)
_Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Folder with fields.yaml, programmes/, agreements/. Default: GAPURA_POLICIES, else the shipped.",
        file_okay=False,
        exists=True,
        show_default=False,
    ),
]
# As `terraform plan -detailed-exitcode` has one for "nothing failed, and yet": 2 is any error's already.
_SOMETHING_REMAINS = 3
_KINDS_BY_FOLDER: dict[str, Kind] = {"agreements": "agreement", "programmes": "programme"}


@app.command()
def check(folder: _Folder = None, output: Format = "text") -> None:
    """Load every policy of a folder strictly, and run the cases of every agreement. Changes nothing.

    Where the settings lead to a store, a text that differs from it has to have its `version` raised, and an
    agreement whose consumer is not registered there is warned of, if any is.

    Mistakes are told as FILE:LINE: expected ..., got ..., write ...; all of them at once. Ends with 0 if
    everything loads, every case holds and every number is right, with 1 if not.
    """
    folder = _folder(folder)
    unreadable: list[str] = []
    try:
        checked = check_cases(folder / "agreements", load_policies(folder))
        problems = [problem for one in checked for problem in one.problems]
        problems += [problem for one in checked for problem in _unknown_regions(folder, one.agreement)]
    except PolicyError as error:
        checked, problems = [], (unreadable := error.problems)
    kept, warnings = kept_here(), list[str]()
    if kept is not None:
        files = read_folder(folder)
        problems = [*problems, *not_raised(files, kept.versions, folder, unreadable)]
        warnings = list(unregistered(files, kept.consumers, folder))
    if output == "json":
        counted = {one.agreement.id: one.cases for one in checked}
        told = {"agreements": counted, "problems": problems, "warnings": warnings}
        print_json(told | {"compared_with_store": kept is not None})
    else:
        for one in checked:
            result = "holds" if not one.problems else f"{len(one.problems)} problems"
            print(f"{one.agreement.id:32} version {one.agreement.version:<3} {one.cases:3} cases  {result}")
        print("\n".join(problems) if problems else _all_hold(len(checked), sum(one.cases for one in checked)))
        print_lines(warning_lines(warnings))
        if kept is None:
            print("There is no store of policies here, so whether `version` was raised was not checked.")
    if problems:
        raise typer.Exit(1)


@app.command("list")
def list_policies(output: Format = "text") -> None:
    """List every policy: what is in force, how it stands today, and what is being worked on."""
    with opened_store() as opened:
        versions, book, approvers = opened.store.versions(), opened.store.book(), opened.approvers()
    latest = {(one.kind, one.name): one for one in reversed(versions)}  # the newest comes last and stays
    in_force = {(one.kind, one.name): one for one in versions if one.state in IN_FORCE}
    being_made = {(one.kind, one.name): one for one in versions if one.state in OPEN}
    agreements = {one.id: one for one in book.agreements}
    shown = {key: in_force.get(key, newest) for key, newest in sorted(latest.items())}
    facts = {
        key: _listed(version, being_made.get(key), agreements.get(key[1]) if key[0] == "agreement" else None)
        for key, version in shown.items()
    }
    if output == "json":
        print_json([one | suspension_facts(shown[key], approvers) for key, one in facts.items()])
        return
    for key, one in facts.items():
        print("  ".join(str(one[name]) for name in ("policy", "version", "standing")))
        print_lines(suspension_lines(shown[key], approvers))
        if "consumer" in one:
            print(f"    {one['consumer']}, purpose {one['purpose']}")
            print(f"    {one['valid_from']} to {one['valid_until']}, both days included")
        if one["open_version"] is not None:
            print(f"    version {one['open_version']} is {one['open_state']}")


@app.command()
def show(
    policy_id: PolicyId,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Default: in force.")] = None,
    output: Format = "text",
) -> None:
    """Show one policy: an agreement clause by clause, others as they are written."""
    kind, name = policy(policy_id)
    with opened_store() as opened:
        opened.known(kind, name)
        found, book = opened.store.get(kind, name, version), opened.store.book()
        approvers = opened.approvers()
    if output == "json":
        texts = {"text": found.text.decode(), "cases": found.cases.decode()}
        print_json(version_facts(found) | suspension_facts(found, approvers) | texts)
        return
    print(version_line(found))
    print_lines(suspension_lines(found, approvers))
    agreement = _readable(found, book) if kind == "agreement" else None
    print(found.text.decode() if agreement is None else "\n".join(agreement_lines(agreement, book, _today())))


@app.command()
def history(policy_id: PolicyId, output: Format = "text") -> None:
    """Tell every act with a policy, the newest first: who, when, why, and with which wording."""
    kind, name = policy(policy_id)
    with opened_store() as opened:
        opened.known(kind, name)
        acts = opened.store.history(kind, name)
    if output == "json":
        names = ("version", "act", "actor", "reason", "sha256", "at")
        print_json([{each: getattr(done, each) for each in names} for done in acts])
    else:
        print("\n".join(map(done_line, acts)))


@app.command()
def diff(
    target: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A policy, for its newest version; or a file.")
    ],
    against: Annotated[
        int | None, typer.Option(metavar="N", help="The version to compare with. Default: the one in force.")
    ] = None,
    output: Format = "text",
) -> None:
    """Say in words, Indonesian and English, what a version or a file opens and closes for whom."""
    with opened_store() as opened:
        kind, name, new, number = _compared(opened, target)
        old = _base(opened.store, kind, name, against, number)
        difference = opened.store.difference(kind, name, old.text if old is not None else None, new)
    if output == "json":
        told = {"kind": kind, "name": name, "against": old.version if old is not None else None}
        print_json(told | difference_in_words(difference))
        return
    beside = f"version {old.version} ({old.state})" if old is not None else "nothing"
    compared = f"version {number}" if number is not None else target
    print(f"{kind}/{name}, {compared}, against {beside}")
    print("\n".join(difference_lines(difference)))


@app.command()
def apply(
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, exists=True)],
    acting_as: As,
    policy_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Only these of the folder.", show_default=False),
    ] = None,
    activate: Annotated[
        bool, typer.Option("--activate", help="Activate what only narrows, submit what does not.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Go on with drafts that others wrote too.")
    ] = False,
    reason: Reason = "",
    output: Format = "text",
) -> None:
    """Bring a folder's texts into the store, as far as one person may, and say what remains for whom.

    Nothing is ended: a file that is missing is reported. Whoever goes on with a draft is one of its editors,
    and cannot approve it.

    \b
    Ends with 0  nothing remains for anybody: all of the folder is in force
              1  a text has to be mended
              2  nothing could be done, such as for want of a role
              3  something remains: for an approver; for you, where a draft only narrows and is not in
                 force before `activate ID` or `apply --activate`; or because another draft, a missing
                 file or what was ended stands against the folder
    """  # noqa: D301 - the backspace is meant: behind it lines are not joined
    only = [policy(written) for written in policy_ids or ()]
    with opened_store() as opened:
        way = Way(opened.acting_as(acting_as), reason, activate, take_over)
        applied = apply_folder(opened.store, folder, way, only)
    if output == "json":
        print_json([applied_facts(one) for one in applied])
    else:
        for one in applied:
            if one.outcome != "unchanged":
                print("\n".join(applied_lines(one)))
        unchanged = sum(one.outcome == "unchanged" for one in applied)
        print(f"{unchanged} of {len(applied)} policies are unchanged.")
    if any(one.broken for one in applied):
        raise typer.Exit(1)
    if any(one.remains for one in applied):
        raise typer.Exit(_SOMETHING_REMAINS)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)], output: Format = "text"
) -> None:
    """Write the active texts, byte for byte, into a new folder or over an earlier export.

    A file that no export wrote is never overwritten. `apply` of what was written changes nothing.
    """
    with opened_store() as opened:
        exported = export_folder(opened.store, folder)
    if output == "json":
        print_json({name: getattr(exported, name) for name in ("written", "removed", "left_out")})
        return
    print(f"{len(exported.written)} files written to {folder}.")
    for path in exported.removed:
        print(f"removed, no longer active: {path}")
    for name in exported.left_out:
        print(f"left out, suspended: {name}")


policy_acts.register(app)
trying.add_to(app)


def _compared(opened: OpenStore, target: str) -> tuple[Kind, str, bytes, int | None]:
    """Kind, name and text of what is compared, and its number if it is a version."""
    path = Path(target)
    if path.suffix == ".yaml" and path.is_file():
        if path.stem == DICTIONARY_NAME:
            return "dictionary", DICTIONARY_NAME, path.read_bytes(), None
        kind = _KINDS_BY_FOLDER.get(path.resolve().parent.name, "agreement")
        return kind, path.stem, path.read_bytes(), None
    kind, name = policy(target)
    newest = opened.known(kind, name)[0]
    return kind, name, newest.text, newest.version


def _base(
    store: PolicyStore, kind: Kind, name: str, against: int | None, compared: int | None
) -> Version | None:
    """The version to compare with: the one named, else what is in force, else the one before."""
    if against is not None:
        return store.get(kind, name, against)
    others = [one for one in store.versions(kind, name) if one.version != compared]
    return next((one for one in others if one.state in IN_FORCE), others[0] if others else None)


def _listed(version: Version, being_made: Version | None, agreement: Agreement | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "policy": f"{version.kind}/{version.name}",
        "version": version.version,
        "state": version.state,
        "standing": version.state,
        "open_version": being_made.version if being_made is not None else None,
        "open_state": being_made.state if being_made is not None else None,
    }
    if agreement is not None:
        facts |= {
            "standing": agreement.standing(_today()),
            "consumer": agreement.consumer,
            "purpose": agreement.purpose,
            "valid_from": agreement.valid_from,
            "valid_until": agreement.valid_until,
        }
    return facts


def _readable(version: Version, book: AgreementBook) -> Agreement | None:
    """The agreement that a version's text is, among the policies in force; None if it cannot be read so."""
    known = next(
        (one for one in book.agreements if (one.id, one.sha256) == (version.name, version.sha256)), None
    )
    if known is not None:
        return known
    try:
        return parse_agreement(
            version.text, f"{version.name}.yaml", book.dictionary, book.programmes, "suspended"
        )
    except PolicyError:
        return None


def _unknown_regions(folder: Path, agreement: Agreement) -> Iterator[str]:
    path = folder / "agreements" / f"{agreement.id}.yaml"
    return unknown_regions(agreement.scope.regions, path.read_bytes(), str(path))


def _all_hold(agreements: int, cases: int) -> str:
    return f"{agreements} agreements, {cases} cases: all hold."


def _today() -> date:
    return civil_day(now())


def _folder(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    try:
        return load_settings().policies
    except SettingsInvalid as error:
        print("\n".join(error.problems))
        raise typer.Exit(1) from error
