"""The process that keeps the log in order on PostgreSQL, apart from those that serve.

Done in threads of a serving process, the same work takes the interpreter from its requests: an eighth of
them, and the slowest wait twice as long. This process lives as long as the pipe that is its standard input,
so that it ends with whoever started it, whatever ended that one; SIGTERM ends it too, Ctrl-C does not. Told
to end it finishes the step under way: a death at any instant leaves a step done or not begun, and entries of
answers that are given after it, while a node drains, get their place from the next keeper, here or on
another node.

What fails is said on standard output (`gateway.keeping.failures`), for the guard to log and count. It MUST
NOT serve anybody, and MUST NOT import what serves: it is to begin within a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime

from gateway.audit.subject_index import SubjectIndex
from gateway.audit.transparency import TransparentLog, open_log
from gateway.database import Database
from gateway.housekeeping import collect_rarely
from gateway.installation import open_keys
from gateway.keeping.failures import Failure
from gateway.keeping.order import keep_in_order
from gateway.overview.counting import TrafficTotals
from gateway.settings import Settings, load_settings
from gateway.telemetry.log import Log

# Each of the three loops uses one connection at a time: with the overflow that is enough for all of them.
_POOL_SIZE = 2
_PAUSE_S = 1.0
# A step that waits for a lost database, or for the word of a replica that is gone, would never be finished.
_ENDS_WITHIN_S = 3.0


def main() -> None:
    """Keep the log of these settings (from the environment) in order until told to end; then exit with 0."""
    settings = load_settings()
    Log(settings.log_level)  # for what libraries say: without it, they write texts with values in them
    url, direct_url = settings.effective_database_url, settings.database_direct_url
    with closing(Database(url, pool_size=_POOL_SIZE, direct_url=direct_url)) as database:
        asyncio.run(_keep_until_told(settings, database))


async def _keep_until_told(settings: Settings, database: Database) -> None:
    told = asyncio.Event()
    _heed_the_parent(told)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    keeping = asyncio.create_task(_keep(settings, database))
    keeping.add_done_callback(lambda _: told.set())
    await told.wait()
    _be_gone_soon()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


async def _keep(settings: Settings, database: Database) -> None:
    log = await _opened(settings, database)
    collect_rarely()
    totals = TrafficTotals(database, _utc_now)
    await keep_in_order(log.sequencer, SubjectIndex(database), totals, _say)


async def _opened(settings: Settings, database: Database) -> TransparentLog:
    """The log, as soon as database and keys can be had: to begin anew costs more than to try again."""

    def attempt() -> TransparentLog:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        return open_log(database, keys, settings.issuer, _utc_now)

    while True:
        try:
            return await asyncio.to_thread(attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and may have passed
            _say(error)
        await asyncio.sleep(_PAUSE_S)


def _heed_the_parent(told: asyncio.Event) -> None:
    """Set the event when standard input ends."""
    loop, pipe = asyncio.get_running_loop(), sys.stdin.fileno()

    def heard() -> None:
        if not os.read(pipe, 1024):
            loop.remove_reader(pipe)
            told.set()

    loop.add_reader(pipe, heard)


def _be_gone_soon() -> None:
    """End this process in a while, whatever it is at."""
    ending = threading.Timer(_ENDS_WITHIN_S, os._exit, (0,))
    ending.daemon = True
    ending.start()


def _say(error: BaseException) -> None:
    # At once, and by nothing that would be written again at the end. Where nobody listens, the end is near.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), Failure.of(error).line())


def _utc_now() -> datetime:
    return datetime.now(UTC)
