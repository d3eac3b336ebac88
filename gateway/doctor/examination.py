"""The whole examination, organ after organ: what one that is ill keeps hidden is unknown, and said to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.doctor.copies import examine_archive, examine_replica
from gateway.doctor.findings import Finding, good, graded
from gateway.doctor.log import examine_log
from gateway.doctor.machine import examine_certificates, examine_disk, examine_keys
from gateway.doctor.sources import examine_site, examine_sources
from gateway.doctor.store import examine_binding, examine_schema, examine_store, is_there
from gateway.errors import GapuraError, SettingsInvalid
from gateway.settings import Settings, load_settings
from gateway.vitals.backup import last_backup
from gateway.vitals.work import agreements_ending

_BACKUP_DUE, _BACKUP_OVERDUE = timedelta(hours=26), timedelta(days=3)
_NEEDS_DATABASE = ("schema", "database", "keys", "replica", "log", "agreements", "backup", "archive")


def examine(
    clock: Callable[[], datetime],
    *,
    environment: Mapping[str, str] | None = None,
    ask_sources: bool = True,
) -> Iterator[Finding]:
    """Every finding about the gateway of these settings. Never raises; changes nothing.

    With `ask_sources`, each source is asked once whether it answers: one call of its quota.
    """
    try:
        settings = load_settings(environment)
    except SettingsInvalid as error:
        for problem in error.problems:
            yield Finding("settings", "wrong", problem, "Mend the settings; nothing else can be looked at.")
        return
    yield good("settings", "are complete and known")
    yield from _guarded("disk", lambda: examine_disk(settings.home))
    yield from _guarded("certificates", lambda: examine_certificates(settings.certificate_files, clock()))
    if not settings.security_contacts:
        yield Finding(
            "site",
            "notice",
            "names no contact for weaknesses",
            "Set `security_contact`: /.well-known/security.txt is then served.",
        )
    database = Database(settings.effective_database_url, direct_url=settings.database_direct_url)
    try:
        yield from _with_database(settings, database, clock, ask_sources=ask_sources)
    finally:
        database.close()
    yield from _guarded("site", lambda: examine_site(settings, clock))


def _with_database(
    settings: Settings, database: Database, clock: Callable[[], datetime], *, ask_sources: bool
) -> Iterator[Finding]:
    keys, problems = examine_keys(settings.home / "keys", settings.key_source)
    yield from problems
    there = is_there(database)
    yield there
    if there.level != "good":
        hidden = (*_NEEDS_DATABASE, *(("sources",) if ask_sources else ()))
        for about in hidden:
            yield Finding(about, "unknown", "not looked at: the database is away", "Mend the database first.")
        return
    now = clock()
    looks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("schema", lambda: examine_schema(database)),
        ("database", lambda: examine_store(database, clock)),
        ("replica", lambda: examine_replica(database, settings.database_report_url, settings.report_lag_s)),
        ("log", lambda: examine_log(database, now)),
        ("agreements", lambda: _examine_agreements(database, now)),
        ("backup", lambda: _examine_backup(database, now)),
        ("archive", lambda: examine_archive(database)),
    ]
    if keys is not None:
        looks.insert(2, ("keys", lambda: examine_binding(database, keys)))
    if ask_sources:
        looks.append(("sources", lambda: asyncio.run(examine_sources(settings, database, clock))))
    for about, look in looks:
        yield from _guarded(about, look)


def _examine_agreements(database: Database, now: datetime) -> Iterator[Finding]:
    ending = agreements_ending(database, civil_day(now))
    said = ", ".join(f"{count} end within {days} days" for days, count in ending.items())
    do = "The console lists them: tell the administrators, whose partners will be refused from the day after."
    yield graded("agreements", said, do, wrong=False, notice=any(ending.values()))


def _examine_backup(database: Database, now: datetime) -> Iterator[Finding]:
    with database.reading() as connection:
        last = last_backup(connection)
    if last is None:
        do = "Set up `gapura backup make` (deploy/README.md), and try to restore one."
        yield Finding("backup", "notice", "the log knows of no backup", do)
        return
    age = now - last
    yield graded(
        "backup",
        f"the last was finished {age.total_seconds() / 3600:.1f} h ago",
        "Run `gapura backup make` and read what it says. See RUNBOOK.md, GapuraBackupOld.",
        wrong=age > _BACKUP_OVERDUE,
        notice=age > _BACKUP_DUE,
    )


def _guarded(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a look finds. One that fails must not end the examination; its error's text may hold anything."""
    try:
        yield from look()
    except GapuraError as error:
        yield Finding(about, "unknown", str(error), "Mend that first, then run this again.")
    except Exception as error:  # noqa: BLE001 - a doctor who faints helps nobody
        do = "Look at what stands above; a table or a right may be missing: `gapura migrate --grant`."
        yield Finding(about, "unknown", f"could not be looked at ({type(error).__name__})", do)
