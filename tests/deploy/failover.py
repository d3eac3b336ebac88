"""What it costs when a node, PgBouncer or the database's primary dies under load.

`python -m tests.deploy.failover` prints the table of deploy/README.md; `--help` says what it can be told. The
suite does the same, shorter (`test_site.py`).
"""

from __future__ import annotations

import argparse
import configparser
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select

from gateway.audit.tables import audit_checkpoints, audit_entries, audit_pending
from gateway.audit.transparency import open_log
from gateway.audit.verification import verify
from gateway.database import Database
from gateway.keys import Keys
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings
from tests.deploy.callers import Callers, Toll, toll
from tests.deploy.servers import PostgresServer
from tests.deploy.site import DATABASE, DEPLOY, Site, running_site

_INTEGRATED_WITHIN_S = 60
# What a site has, where the suite's servers go without.
_ON_DISK = {"fsync": "on", "full_page_writes": "on"}
DROP_IN = DEPLOY / "systemd" / "pgbouncer.service.d" / "restart.conf"


def kill_node(site: Site) -> None:
    """The first node is gone, and does not come back."""
    site.nodes[0].stop(signal.SIGKILL)


def kill_bouncer(site: Site) -> None:
    """PgBouncer is gone until systemd starts it again, as the drop-in that is shipped tells it."""
    assert site.bouncer is not None
    site.bouncer.stop(signal.SIGKILL)
    unit = configparser.ConfigParser()
    unit.read(DROP_IN, encoding="utf-8")
    time.sleep(unit.getfloat("Service", "RestartSec"))
    site.bouncer.start()


def lose_replica(site: Site) -> None:
    """The replica is gone, nothing is committed any more, and the operator tells the primary not to wait."""
    site.replica.stop("immediate")
    site.wait_for_replica(waiting=False)


def lose_primary(site: Site) -> None:
    """The primary is gone, and the operator promotes the replica."""
    site.primary.stop("immediate")
    site.fail_over()


# The last leaves a site that has one server.
DEATHS: Mapping[str, Callable[[Site], None]] = {
    "PgBouncer": kill_bouncer,
    "the replica": lose_replica,
    "a gateway node": kill_node,
    "the primary": lose_primary,
}


@dataclass(frozen=True)
class Endured:
    """What callers saw of a death, and which of their exchanges were answered."""

    toll: Toll
    answered: frozenset[UUID]
    failed_outside: int


def endure(
    site: Site,
    clients: Sequence[GatewayClient],
    strike: Callable[[Site], None],
    *,
    answers: int = 10,
) -> Endured:
    """Load, a death, and load until every caller is answered `answers` times in a row, and then as often.

    Raises TimeoutError when that does not come. What fails before the death or after that calm fails outside.
    """
    with Callers(clients, patient=len(clients) // 3) as callers:
        callers.wait_for_calm(answers)
        struck = time.monotonic()
        strike(site)
        calm = callers.wait_for_calm(answers)
        callers.wait_for_calm(answers)
    failed = [one for one in callers.requests if not one.answered]
    return Endured(
        toll(callers.requests, callers.questions),
        frozenset(one.exchange_id for one in callers.requests if one.exchange_id),
        sum(one.ended < struck or one.began > calm for one in failed),
    )


class Evidence:
    """The log of a site, at whichever server is its primary now."""

    def __init__(self, server: PostgresServer, settings: Settings) -> None:
        self._url = server.url(dbname=DATABASE)
        self._settings = settings

    def checkpoint(self) -> str:
        """The newest signed checkpoint, as a witness keeps it, once every entry stands in it."""
        with closing(Database(self._url)) as database:
            until = time.monotonic() + _INTEGRATED_WITHIN_S
            while not (note := _whole(database)):
                assert time.monotonic() < until, "the nodes do not integrate the log"
                time.sleep(0.1)
            return note

    def missing(self, answered: frozenset[UUID], kept_note: str) -> frozenset[UUID]:
        """Those of the answered exchanges that have no outcome in the log, which is verified as a whole.

        It has to continue the checkpoint that was kept from before.
        """
        with closing(Database(self._url)) as database:
            keys = Keys.open(self._settings.home / "keys")
            log = open_log(database, keys, self._settings.issuer, lambda: datetime.now(UTC))
            report = verify(database, *log.keyring.verifiers(), kept_notes=[kept_note])
            assert report.finding is None, report.finding
            outcomes = select(audit_entries.c.exchange_id).where(audit_entries.c.kind == "outcome")
            with database.reading() as connection:
                return answered - set(connection.execute(outcomes).scalars())


def _whole(database: Database) -> str | None:
    with database.reading() as connection:
        waiting = connection.execute(select(func.count()).select_from(audit_pending)).scalar_one()
        newest = select(audit_checkpoints.c.note, audit_checkpoints.c.size)
        found = connection.execute(newest.order_by(audit_checkpoints.c.size.desc()).limit(1)).first()
        entries = connection.execute(select(func.count()).select_from(audit_entries)).scalar_one()
    return str(found.note) if found and not waiting and found.size == entries else None


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description="What it costs when something dies under load.")
    parser.add_argument("--callers", type=int, default=6, help="who ask at once; a third of them try again")
    parser.add_argument(
        "--answers", type=int, default=200, help="of each caller, before and after each death"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of each gateway node")
    parser.add_argument(
        "--operator-s", type=float, default=10, help="how long an operator takes to act, seconds"
    )
    parser.add_argument("--without-pgbouncer", action="store_true", help="nodes know both servers themselves")
    chosen = parser.parse_args()
    pooled = not chosen.without_pgbouncer
    with running_site(
        workers=chosen.workers, pooled=pooled, conf=_ON_DISK, operator_s=chosen.operator_s
    ) as site:
        clients = [site.partner() for _ in range(chosen.callers)]
        rows: list[Mapping[str, str]] = []
        for name, strike in DEATHS.items():
            if pooled or strike is not kill_bouncer:
                rows.append(_row(site, clients, name, answers=chosen.answers))
                _print(rows)


def _row(site: Site, clients: Sequence[GatewayClient], name: str, *, answers: int) -> Mapping[str, str]:
    """Have it die, count, and bring back what can come back."""
    strike = DEATHS[name]
    kept = Evidence(site.primary, site.settings).checkpoint()
    endured = endure(site, clients, strike, answers=answers)
    after = Evidence(site.replica if strike is lose_primary else site.primary, site.settings)
    after.checkpoint()
    missing = after.missing(endured.answered, kept)
    site.revive_nodes()
    if strike is lose_replica:
        site.revive_replica()
    return {
        "dies": name,
        **endured.toll.cells(),
        "failed before or after": str(endured.failed_outside),
        "answered": str(len(endured.answered)),
        "of these not in the log": str(len(missing)),
    }


def _print(rows: Sequence[Mapping[str, str]]) -> None:
    """The newest row, and the head before the first."""
    *before, newest = rows
    if not before:
        sys.stdout.write(f"| {' | '.join(newest)} |\n|{'---|' * len(newest)}\n")
    sys.stdout.write(f"| {' | '.join(newest.values())} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
