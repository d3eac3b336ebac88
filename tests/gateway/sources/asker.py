"""One process of the quota test: 500 concurrent questions to Dukcapil, all through the shared ledger."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, date, datetime
from uuid import UUID

from connectors.base import Record, Subject, Unavailable
from connectors.dukcapil.connector import DukcapilConnector
from connectors.dukcapil.settings import DukcapilSettings
from connectors.dukcapil.wire import Credentials
from connectors.transport.client import Transport
from connectors.transport.settings import SourceSettings
from gateway.database import Database
from gateway.sources.quota import DatabaseQuotaLedger


async def ask(database_url: str, base_url: str, first: str) -> dict[str, int]:
    settings = DukcapilSettings(
        source=SourceSettings(name="dukcapil", base_url=base_url, attempt_timeout_s=60),
        family="central_named",
        customer="KEMENSOS",
        threshold=80,
        daily_quota=500,
    )
    credentials = Credentials("latihan", "rahasia", "10.0.0.1")
    ledger = DatabaseQuotaLedger(Database(database_url))
    async with Transport(settings.source) as transport:
        connector = DukcapilConnector(
            settings, credentials, transport, ledger, clock=lambda: datetime.now(UTC)
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        deadline = asyncio.get_running_loop().time() + 120
        fields = frozenset({"dukcapil_full_name"})
        outcomes = await asyncio.gather(
            *(
                connector.fetch(
                    [
                        Subject(
                            nik=f"{first}{serial}", person_id=UUID(int=9), known={"full_name": "SITI CONTOH"}
                        )
                    ],
                    fields,
                    date(2026, 11, 21),
                    deadline,
                )
                for serial in range(9000, 9500)
            )
        )
    ledger.close()
    answered = sum(
        isinstance(one, Record) and one.values == {"dukcapil_full_name": "match"} for (one,) in outcomes
    )
    used_up = sum(isinstance(one, Unavailable) and "quota" in one.cause for (one,) in outcomes)
    return {"answered": answered, "used_up": used_up, "otherwise": len(outcomes) - answered - used_up}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(ask(*sys.argv[1:]))))
