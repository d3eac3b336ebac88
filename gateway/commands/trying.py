"""`gapura agreements preview | impact`: a version is tried before it counts, from the machine itself.

They ask the same `gateway.agreements.trials` as the admin API, and so under the same rules: a real person
needs a reason and the account of somebody who may, and is in the audit log first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.policy_store import Format, PolicyId, policy
from gateway.errors import BadInput
from gateway.registry.personas import PERSONAS, persona

if TYPE_CHECKING:
    from gateway.agreements.lifecycle import Version
    from gateway.api.admin.trying_forms import ImpactOut, PreviewOut, SideOut
    from gateway.app import Services

_Number = Annotated[
    int | None, typer.Option("--version", help="The version to try; default: the newest there is.")
]


def add_to(app: typer.Typer) -> None:
    """Make these commands of the group that administers agreements."""
    app.command("preview")(preview)
    app.command("impact")(impact)


def preview(
    policy_id: PolicyId,
    operation: Annotated[str, typer.Option(help="eligibility or records.")],
    person: Annotated[
        str | None,
        typer.Option("--persona", help=f"An invented person: {', '.join(one.key for one in PERSONAS)}."),
    ] = None,
    number: _Number = None,
    purpose: Annotated[str | None, typer.Option(help="Default: the agreement's.")] = None,
    programme: Annotated[str | None, typer.Option(help="For eligibility: PBI-JK, PKH, BPNT or BST.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    claim: Annotated[list[str] | None, typer.Option(help="FIELD=VALUE, for verdicts; repeatable.")] = None,
    consumer: Annotated[str | None, typer.Option(help="Default: the agreement's.")] = None,
    on_date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day asked for.")] = None,
    acting_as: Annotated[
        str | None, typer.Option("--as", help="The staff account as whom you act; needed for real people.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why a real person is looked at, for the audit log.")] = "",
    ask_sources: Annotated[bool, typer.Option("--ask-sources", help="Ask outside sources too.")] = False,
    output: Format = "text",
) -> None:
    """Show what a consumer would get about one person, under a version and under the policies in force.

    Nothing is spent and nobody is answered. Without --persona the NIK is asked for, so that no shell keeps
    it; real people are found only with --reason, and --as somebody with the role auditor or approver.
    """
    from gateway.agreements.preview import Tried  # noqa: PLC0415 - other commands need not wait for it
    from gateway.api.admin.trying_forms import preview_out  # noqa: PLC0415 - as above

    tried = Tried(
        nik=_nik_of(person),
        operation=operation,
        purpose=purpose,
        programme=programme,
        fields=tuple(field) if field else None,
        on_date=on_date.date() if on_date else None,
        claims=_claims(claim or []),
        consumer=consumer,
        ask_sources=ask_sources,
        reason=reason.strip(),
    )
    with _services() as services:
        from gateway.staff.roles import INSTALLATION  # noqa: PLC0415 - as above

        staff = services.staff.accounts.on_console(acting_as) if acting_as else INSTALLATION
        version = _version(services, policy_id, number)
        shown = preview_out(asyncio.run(services.trials.preview(version, tried, staff)))
    if output == "json":
        print(shown.model_dump_json(indent=2))
        return
    for line in _preview_lines(version, shown):
        print(line)


def impact(
    policy_id: PolicyId,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many civil days, today's among them.")] = 7,
    number: _Number = None,
    output: Format = "text",
) -> None:
    """Decide the questions of the last days anew under a version: what would be otherwise, for whom.

    The log holds no values: this is about refusals and fields, not about how many people a rule would decide
    otherwise.
    """
    from gateway.api.admin.trying_forms import impact_out  # noqa: PLC0415 - as above

    with _services() as services:
        version = _version(services, policy_id, number)
        shown = impact_out(services.trials.replay(version, days))
    if output == "json":
        print(shown.model_dump_json(indent=2))
        return
    for line in _impact_lines(version, shown):
        print(line)


@contextmanager
def _services() -> Iterator[Services]:
    """What a gateway process has, for one command; the schema is brought to its newest first."""
    from gateway.app import build_services  # noqa: PLC0415 - imports that the other commands need not wait for
    from gateway.commands.opening import opened_database  # noqa: PLC0415 - as above
    from gateway.settings import load_settings  # noqa: PLC0415 - as above

    with opened_database():
        pass
    services = build_services(load_settings())
    try:
        yield services
    finally:
        services.close()


def _version(services: Services, policy_id: str, number: int | None) -> Version:
    """The version named, else the newest there is: that which is being worked on."""
    kind, name = policy(policy_id)
    if number is not None:
        return services.store.get(kind, name, number)
    versions = services.store.versions(kind, name)
    return versions[0] if versions else services.store.get(kind, name)


def _nik_of(key: str | None) -> str:
    if key is None:
        return str(typer.prompt("NIK", hide_input=True)).strip()
    try:
        return persona(key).nik
    except KeyError:
        known = ", ".join(one.key for one in PERSONAS)
        raise BadInput(f"--persona: expected one of {known}.") from None


def _claims(given: list[str]) -> Mapping[str, str]:
    if any("=" not in claim for claim in given):
        raise BadInput("--claim: expected FIELD=VALUE, such as full_name=SULASTRI.")
    return dict(claim.split("=", maxsplit=1) for claim in given)


def _preview_lines(version: Version, shown: PreviewOut) -> Iterator[str]:
    found = {True: "invented", False: "real", None: "nobody found"}[shown.synthetic]
    yield f"{version.name} version {version.version} ({version.state}), as {shown.consumer}"
    yield f"  decided for {shown.decided_for}; person: {found}"
    for title, side in (("now", shown.before), (f"with version {version.version}", shown.after)):
        yield f"  {title}:"
        yield from (f"    {line}" for line in _side_lines(side))
    yield f"  otherwise: {', '.join(shown.differences) or 'nothing'}"
    if shown.case is not None:
        yield "  as a case:"
        yield from (f"    {line}" for line in shown.case.splitlines())


def _side_lines(side: SideOut) -> Iterator[str]:
    if side.denied is not None:
        yield f"refused, {side.denied.code}: {side.denied.reason.en} {side.denied.remedy.en}"
    if side.nobody is not None:
        beyond = " (somebody is there, out of scope)" if side.nobody.out_of_scope else ""
        yield f"{side.nobody.code}: {side.nobody.words.en}{beyond}"
    if side.decision is not None:
        yield f"decision: {side.decision}"
    for clause, verdict in (side.clauses or {}).items():
        yield f"  {clause}: {verdict}"
    for field in side.fields:
        what = _shown(field.value) if field.value is not None else field.code or field.state
        yield f"{field.field:24} {what:28} {field.clause.en}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def _impact_lines(version: Version, shown: ImpactOut) -> Iterator[str]:
    yield (
        f"{version.name} version {version.version} ({version.state}): {shown.affected} of {shown.exchanges} "
        f"exchanges from {shown.first} to {shown.last} would be otherwise."
    )
    if shown.left_out:
        yield f"  {shown.left_out} are of consumers that may not call now, and are not replayed."
    for consumer in shown.consumers:
        yield f"  {consumer.name}: {consumer.affected} of {consumer.exchanges}"
        for effect in consumer.effects:
            yield f"    {effect.exchanges:8}  {effect.words.en}  e.g. {effect.samples[0]}"
