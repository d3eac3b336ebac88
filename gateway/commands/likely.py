"""`gapura reconcile candidates | accept | refuse | rules`: who a person may be, and who decides.

Neither a NIK nor an element of the population register is printed: candidates are told by words and bits. On
the machine itself nobody proves who they are; as whom somebody acted is in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.audit.entry import SubjectHasher
from gateway.commands.reconcile_office import Office, opened_office, utc_now
from gateway.errors import BadInput
from gateway.reconciliation.acceptance import Candidate, LikelyPersons, Waiting
from gateway.reconciliation.acceptance_rules import (
    LEAST_AGREEING,
    LEAST_PROBABILITY,
    AcceptanceRule,
    AcceptanceRules,
    unusable,
)
from gateway.reconciliation.sealing import NikSeal
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import Role, Staff

rules_app = typer.Typer(
    help="Rules by which likely persons are accepted: one sets, another approves.", no_args_is_help=True
)
_Candidate = Annotated[UUID, typer.Argument(metavar="ID", help="The candidate's id.", show_default=False)]
_Rule = Annotated[UUID, typer.Argument(metavar="ID", help="The rule's id.", show_default=False)]
_As = Annotated[
    str,
    typer.Option(
        "--as", help="Your staff account: an operator, to approve a rule an approver.", show_default=False
    ),
]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log; names no person.", show_default=False)]
_WIDTH = 160
_PROPOSED = {"accept": "the likely one", "review": "look closely", "refuse": "unlikely"}
_HOW_TO_READ = (
    "Bits: how much a trait speaks for this person (+) or against. The probability then weighs the candidate "
    "against every rival, on both sides, and against nobody at all; it decides nothing."
)


def add_to(app: typer.Typer) -> None:
    """Add the commands to `gapura reconcile`."""
    app.command("candidates")(candidates)
    app.command("accept")(accept)
    app.command("refuse")(refuse)
    app.add_typer(rules_app, name="rules")


def candidates(
    person_id: Annotated[
        UUID | None, typer.Argument(metavar="PERSON", help="One person's, in full.", show_default=False)
    ] = None,
    region: Annotated[str | None, typer.Option(help="Only this regency, such as 35.78.")] = None,
    after: Annotated[UUID | None, typer.Option(help="Go on behind this person.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many people.")] = 50,
) -> None:
    """Show people about whom somebody has to decide, or one person's candidates with the reasons of each."""
    with opened_office() as office:
        likely = _likely(office)
        if person_id is None:
            shown = _queue(likely.queue(limit, region, after))
        else:
            shown = _side_by_side(likely.of_person(person_id))
    Console(width=_WIDTH).print(shown)


def accept(candidate_id: _Candidate, reason: _Reason, acting_as: _As) -> None:
    """Give the person this candidate's NIK; the next run says what follows from it."""
    with opened_office() as office:
        decided = _likely(office).accept(_staff(office, acting_as, "operator"), candidate_id, reason)
    print(f"{decided.id} is {decided.state}.")


def refuse(candidate_id: _Candidate, reason: _Reason, acting_as: _As) -> None:
    """Say that this is somebody else: nobody is asked about the two again."""
    with opened_office() as office:
        decided = _likely(office).refuse(_staff(office, acting_as, "operator"), candidate_id, reason)
    print(f"{decided.id} is {decided.state}.")


@rules_app.command("list")
def list_rules() -> None:
    """Show every rule there was, the newest first."""
    with opened_office() as office:
        for one in _rules(office).all():
            print(_line(one))


@rules_app.command("set")
def set_rule(
    least_probability: Annotated[
        float | None, typer.Option(help="Of the candidate, 0.9 to 1.", show_default="required")
    ] = None,
    least_agreeing: Annotated[
        int | None,
        typer.Option(help="How many traits must speak for it, 3 to 8.", show_default="required"),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, for the audit log; names no person.", show_default="required"),
    ] = None,
    acting_as: Annotated[
        str | None,
        typer.Option("--as", help="Your staff account, an operator's.", show_default="required"),
    ] = None,
) -> None:
    """Propose a rule: whom the model would accept is accepted, if so probable. Somebody else approves it."""
    if least_probability is None or least_agreeing is None or reason is None or acting_as is None:
        given = {
            "--least-probability": least_probability,
            "--least-agreeing": least_agreeing,
            "--reason": reason,
            "--as": acting_as,
        }
        missing = [
            f"{option}: expected a value, got none" for option, value in given.items() if value is None
        ]
        raise BadInput("; ".join([*missing, *_misfits(least_probability, least_agreeing)]) + ".")
    if misfits := _misfits(least_probability, least_agreeing):
        raise BadInput("; ".join(misfits) + ".")
    with opened_office() as office:
        staff = _staff(office, acting_as, "operator")
        print(_line(_rules(office).set(staff, least_probability, least_agreeing, reason)))


def _misfits(least_probability: float | None, least_agreeing: int | None) -> list[str]:
    """What is wrong with the bounds that were given, by the names of the options."""
    wrong = unusable(
        LEAST_PROBABILITY if least_probability is None else least_probability,
        LEAST_AGREEING if least_agreeing is None else least_agreeing,
    )
    return [f"--{name.replace('_', '-')}: {expected}" for name, expected in wrong.items()]


@rules_app.command()
def approve(rule_id: _Rule, reason: _Reason, acting_as: _As) -> None:
    """Put a rule in force from the end of the next run on, as somebody else than who set it."""
    with opened_office() as office:
        print(_line(_rules(office).approve(_staff(office, acting_as, "approver"), rule_id, reason)))


@rules_app.command()
def end(rule_id: _Rule, reason: _Reason, acting_as: _As) -> None:
    """End a rule: everybody waits for a person to decide again."""
    with opened_office() as office:
        print(_line(_rules(office).end(_staff(office, acting_as, "operator"), rule_id, reason)))


def _likely(office: Office) -> LikelyPersons:
    hasher = SubjectHasher(office.keys.audit_key)
    return LikelyPersons(office.database, NikSeal(office.keys), hasher, utc_now)


def _rules(office: Office) -> AcceptanceRules:
    return AcceptanceRules(office.database, utc_now)


def _staff(office: Office, acting_as: str, role: Role) -> Staff:
    return StaffAccounts(office.database, utc_now, record_in_audit_log).on_console(acting_as, role)


def _queue(waiting: Sequence[Waiting]) -> Table:
    table = Table("person", "region", "candidates", "likeliest", box=SIMPLE_HEAD, show_edge=False)
    for one in waiting:
        table.add_row(str(one.person_id), one.region, str(one.candidates), f"{one.probability:.1%}")
    return table


def _side_by_side(found: Sequence[Candidate]) -> Table:
    """A column for each candidate, a row for each reason: words in both languages, and bits."""
    table = Table(
        "", *(f"{one.rank}." for one in found), box=SIMPLE_HEAD, show_edge=False, caption=_HOW_TO_READ
    )
    table.add_row("id", *(str(one.id) for one in found))
    table.add_row("", *(one.state for one in found))
    table.add_row("probability", *(f"{one.probability:.1%} ({_PROPOSED[one.proposal]})" for one in found))
    for reasons in zip(*(one.reasons for one in found), strict=False):
        trait = reasons[0]["trait"]
        told = (f"{one['bits']:+.1f}  {one['words']['id']} / {one['words']['en']}" for one in reasons)
        table.add_row(f"{trait['id']} / {trait['en']}", *told)
    table.add_row("bits", *(f"{one.weight:+.1f}" for one in found))
    return table


def _line(one: AcceptanceRule) -> str:
    approved = f", approved by {one.approved_by}" if one.approved_by else ""
    return (
        f"{one.id}  {one.state}  probability {one.least_probability} and {one.least_agreeing} traits, "
        f"set by {one.set_by}{approved}"
    )
