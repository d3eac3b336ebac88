"""The parts of reconciling, wired once, for commands, for the admin API and for whoever works on runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import Connector
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.database import Database
from gateway.errors import BadInput
from gateway.gate import Gate
from gateway.keys import Keys
from gateway.limits.ledger import LimitLedger
from gateway.reconciliation.acceptance import Acceptance, LikelyPersons
from gateway.reconciliation.acceptance_rules import AcceptanceByRule, AcceptanceRules
from gateway.reconciliation.extract_folder import EXTRACT_FOLDER, ExtractFolder
from gateway.reconciliation.findings import Findings
from gateway.reconciliation.regional import RegionalFindings
from gateway.reconciliation.runs import Run, Runs, note_phase
from gateway.reconciliation.schedule import read_schedule
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.supervision import Supervision
from gateway.settings import Settings
from gateway.sources.folder import Sources, build_sources
from policies.pseudonym import SectorKeys

# Under the home folder: what a run keeps on disk while it lasts. People are in it for minutes.
RUN_FOLDER = "reconciliations"
Clock = Callable[[], datetime]

if TYPE_CHECKING:
    from gateway.reconciliation.results import Summary
    from gateway.reconciliation.runner import Runner


@dataclass(frozen=True, slots=True)
class RunnerFor:
    """Opens a runner. Imports an engine, so only whoever works on runs calls it."""

    settings: Settings
    database: Database
    keys: Keys
    clock: Clock

    def __call__(self, *, look_every_s: float = 0.5) -> Runner:
        """A runner on this database. Raises BadInput over an existing registry, which is only read."""
        from gateway.reconciliation.comparing import compare_with_extract  # noqa: PLC0415 - engines
        from gateway.reconciliation.live import Live  # noqa: PLC0415 - sources
        from gateway.reconciliation.runner import Runner  # noqa: PLC0415 - as above
        from gateway.reconciliation.working import Work  # noqa: PLC0415 - as above

        refuse_existing_registry(self.settings)

        def compare(run: Run, folder: Path) -> Summary:
            """With the keys, the engine and the former regions of this gateway."""
            return compare_with_extract(
                self.database,
                run.order,
                folder,
                spark_remote=self.settings.spark_remote or None,
                seal=seal,
                former=self.settings.former_regions,
                at=partial(note_phase, self.database, run.id),
            )

        seal, hasher = NikSeal(self.keys), SubjectHasher(self.keys.audit_key)
        accept = AcceptanceByRule(Acceptance(seal, hasher), self.clock)
        night = read_schedule(self.settings.sources_file).night

        def open_sources() -> Sources:
            """The outside sources of this gateway."""
            return build_sources(self.settings.sources_file, self.database, self.clock)

        live = Live(open_sources, self.database, hasher, self.clock, night=night)
        folder = self.settings.home / RUN_FOLDER
        work = Work(self.database, folder, compare, live, self.clock, accept=accept)
        return Runner(
            self.database, work, Runs(self.database, self.clock), self.clock, look_every_s=look_every_s
        )


@dataclass(frozen=True, slots=True)
class Reconciling:
    """What a serving process has of reconciling: acts on runs and findings, and a worker when needed."""

    runs: Runs
    findings: Findings
    likely: LikelyPersons
    rules: AcceptanceRules
    regional: RegionalFindings
    supervision: Supervision
    extracts: ExtractFolder
    database: Database

    def close(self) -> None:
        """End the worker of this process."""
        self.supervision.close()


def open_reconciling(
    settings: Settings,
    database: Database,
    registry: Connector,
    sector_keys: Callable[[str], Awaitable[SectorKeys]],
    audit: AuditLog,
    limits: LimitLedger,
    keys: Keys,
    clock: Clock,
) -> Reconciling:
    """Wire the parts over what the process has. Raises SettingsInvalid."""
    runs, findings = Runs(database, clock), Findings(database, clock)
    regional = RegionalFindings(
        gate=Gate(limits=limits, audit=audit, audit_key=keys.audit_key, clock=clock),
        registry=registry,
        findings=findings,
        sector_keys=sector_keys,
        audit=audit,
        hasher=SubjectHasher(keys.audit_key),
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
    )
    schedule = read_schedule(settings.sources_file)
    supervision = Supervision(settings, database, runs, schedule, clock)
    likely = LikelyPersons(database, NikSeal(keys), SubjectHasher(keys.audit_key), clock)
    rules = AcceptanceRules(database, clock)
    extracts = ExtractFolder(settings.home / EXTRACT_FOLDER)
    return Reconciling(runs, findings, likely, rules, regional, supervision, extracts, database)


def refuse_existing_registry(settings: Settings) -> None:
    """Raises BadInput where the registry is somebody else's database: its statuses cannot be written."""
    if settings.registry_file:
        raise BadInput(
            f"The registry is the existing database that {settings.registry_file} maps, and it is only read: "
            "no status can be stored. Unset GAPURA_REGISTRY_FILE to reconcile the gateway's own tables."
        )
