"""`gapura rights incident...`: what a consumer received, the clock, whom it concerns, the notices."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from gateway.commands.auditor import AsAuditor, Reason, opened_for_auditor, write_private
from gateway.errors import BadInput
from gateway.rights.exposure import Exposure
from gateway.rights.history import consumer_names
from gateway.rights.incidents import Incident, Told
from gateway.rights.notices import Account, notice_to_authority, notice_to_people

_Id = Annotated[UUID, typer.Argument(metavar="ID", help="The incident's id.", show_default=False)]
_MOMENT = "Such as 2026-11-20T08:00+07:00."


def add_to(app: typer.Typer) -> None:
    """Add the commands about incidents to `gapura rights`."""
    app.command("incident")(open_incident)
    app.command("incidents")(list_incidents)
    app.command("incident-people")(people)
    app.command("incident-notices")(notices)
    app.command("incident-told")(told)


def open_incident(
    consumer: Annotated[str, typer.Option(help="Who received what may have leaked.", show_default=False)],
    first: Annotated[str, typer.Option("--from", help=_MOMENT, show_default=False)],
    last: Annotated[str, typer.Option("--to", help=f"{_MOMENT} Not included.", show_default=False)],
    known_at: Annotated[
        str, typer.Option(help="When it became known; the clock runs from here.", show_default=False)
    ],
    acting_as: AsAuditor,
    reason: Reason,
) -> None:
    """Begin an incident: count the people and fields that a consumer received, and start the clock."""
    with opened_for_auditor(acting_as) as (services, staff):
        incidents = services.rights.incidents
        incident = incidents.open(
            staff,
            consumer_id=consumer,
            first=_moment("--from", first),
            last=_moment("--to", last),
            known_at=_moment("--known-at", known_at),
            reason=reason,
        )
        _print(incident)
        _print_exposure(incidents.exposure(incident))


def list_incidents(acting_as: AsAuditor) -> None:
    """Show every incident and how much of its time is left."""
    with opened_for_auditor(acting_as) as (services, _staff):
        for incident in services.rights.incidents.list():
            _print(incident)


def people(
    incident_id: _Id,
    output: Annotated[Path, typer.Option(help="Where to write; one id a line.", show_default=False)],
    acting_as: AsAuditor,
    reason: Reason,
) -> None:
    """Write the ids of the people concerned. This step is in the log by itself."""
    with opened_for_auditor(acting_as) as (services, staff):
        incidents = services.rights.incidents
        exposed, found = incidents.resolve(staff, incidents.get(incident_id), reason)
        ids = [str(person_id) for person_id in found]
    write_private(output, "".join(f"{person_id}\n" for person_id in ids))
    print(f"{len(ids)} of {exposed} people are in {output}; the others are not in the registry.")


def notices(
    incident_id: _Id,
    acting_as: AsAuditor,
    output: Annotated[Path, typer.Option(help="Folder for the two texts.", show_default=False)],
    how: Annotated[str | None, typer.Option(help="How it came about.")] = None,
    handling: Annotated[str | None, typer.Option(help="What is done about it.")] = None,
    contact: Annotated[str | None, typer.Option(help="Whom people can ask.")] = None,
) -> None:
    """Write the notices to the people and to the authority, in Indonesian, with the facts filled in."""
    with opened_for_auditor(acting_as) as (services, _staff):
        incident = services.rights.incidents.get(incident_id)
        name = consumer_names(services.database).get(incident.consumer_id, incident.consumer_id)
        dictionary = services.policies.present.dictionary
        exposure = services.rights.incidents.exposure(incident)
    account = Account(how, handling, contact)
    output.mkdir(parents=True, exist_ok=True)
    for file, text in (
        ("pemberitahuan-subjek-data.txt", notice_to_people(incident, exposure, name, dictionary, account)),
        ("laporan-lembaga.txt", notice_to_authority(incident, exposure, name, dictionary, account)),
    ):
        (output / file).write_text(text, encoding="utf-8")
        print(output / file)


def told(
    incident_id: _Id,
    whom: Annotated[Told, typer.Argument(help="people or authority.", show_default=False)],
    acting_as: AsAuditor,
    reason: Reason,
) -> None:
    """Note that the people or the authority were told: this stops the clock for them."""
    with opened_for_auditor(acting_as) as (services, staff):
        incidents = services.rights.incidents
        _print(incidents.told(staff, incidents.get(incident_id), whom, reason))


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"{option}: expected a moment with its time zone. {_MOMENT}")
    return moment.astimezone(UTC)


def _print(incident: Incident) -> None:
    left = incident.tell_by - datetime.now(UTC)
    hours = left.total_seconds() / 3600
    clock = f"{hours:.1f} hours left" if hours >= 0 else f"{-hours:.1f} hours OVERDUE"
    span = f"{incident.first:%Y-%m-%d %H:%M} to {incident.last:%Y-%m-%d %H:%M} UTC"
    print(f"{incident.id}  {incident.consumer_id}  {span}")
    print(f"    tell the people and the authority by {incident.tell_by:%Y-%m-%d %H:%M} UTC")
    for whom, at in (("people", incident.people_told_at), ("authority", incident.authority_told_at)):
        print(f"    {whom}: {f'told {at:%Y-%m-%d %H:%M} UTC' if at else clock}")


def _print_exposure(exposure: Exposure) -> None:
    print(f"    {exposure.exchanges} exchanges, {exposure.people_count} people were told of")
    for name, forms in sorted(exposure.forms.items()):
        for form, count in sorted(forms.items()):
            print(f"      {name}, {form}: {count} people")
    for programme, count in sorted(exposure.decisions.items()):
        print(f"      decision on {programme}: {count} people")
    if exposure.erased:
        print(f"    {exposure.erased} exchanges were erased under an order and are not counted")
