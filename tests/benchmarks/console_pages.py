"""How long the console's pages take, and the admin API's lists behind them, in a set-up of full size.

.venv/bin/python -m tests.benchmarks.console_pages [--database postgresql|sqlite] [--agreements 10000]
    [--entries 1000000] [--findings 200000] [--people 20000]

Every page is asked for over HTTP, of a gateway in a process of its own, by staff who have signed in: once to
open what is cold, then seven times. What has no goal of its own has the lists': 300 ms on two cores.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from gateway.database import Database
from gateway.demo import staff
from gateway.migrations import migrate
from gateway.settings import Settings, load_settings
from tests.benchmarks.audit_growth import benchmark_url
from tests.benchmarks.console_filling import consumer, fill
from tests.gateway.console.browsing import Browser, Seen
from tests.living import LivingGateway, free_port, stocked_gateway

GOAL_MS = 300
REPEATS = 7
_READY_S = 300


@dataclass(frozen=True, slots=True)
class Timed:
    """One address as it was asked for: milliseconds, the first one apart."""

    path: str
    status: int
    kilobytes: float
    first_ms: float
    times_ms: tuple[float, ...]

    @property
    def misses(self) -> bool:
        return max(self.times_ms) > GOAL_MS or self.status != 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--agreements", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--findings", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument(
        "--only", default="", help="Only addresses in which this regular expression is found."
    )
    parser.add_argument("--keep", type=Path, help="A folder: filled the first time, then measured again.")
    given = parser.parse_args()
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        known = (home / "filled").exists()
        if given.keep and given.database == "sqlite":
            url = f"sqlite:///{home / 'gapura.db'}"
        else:
            url, known = stack.enter_context(benchmark_url(given.database)), False
        gateway = stack.enter_context(_set_up(home, url, given.people, known=known))
        if not known:
            fill(gateway.settings, given.agreements, given.entries, given.findings)
            (home / "filled").touch()
        passwords = {one.id: password for one, password in staff.sign_ins(gateway.settings)}
        began = time.perf_counter()
        gateway.process = _served(gateway.settings)
        print(f"ready after {time.perf_counter() - began:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        browsers = {name: stack.enter_context(Browser(gateway.url)) for name in passwords}
        for name, browser in browsers.items():
            browser.sign_in(name, passwords[name])
        _report(
            [_timed(browsers[who], path) for who, path in _addresses(browsers) if re.search(given.only, path)]
        )


@contextmanager
def _set_up(home: Path, url: str, people: int, *, known: bool) -> Iterator[LivingGateway]:
    """A set-up in this folder, not yet served; one that was filled before is taken as it is."""
    if not known:
        with stocked_gateway(home, url, people=people) as stocked:
            yield stocked
        return
    place = {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": url}
    gateway = LivingGateway(load_settings(place, port=free_port()))
    database = Database(url)
    migrate(database)
    database.close()
    try:
        yield gateway
    finally:
        gateway.stop()
        gateway.http.close()


def _served(settings: Settings) -> subprocess.Popen[bytes]:
    """`gapura serve` on many agreements, which it reads for longer than a demo waits."""
    environment = {**os.environ, **settings.environment()}
    with (settings.home / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], stdout=log, stderr=log, env=environment
        )
    waited_until = time.monotonic() + _READY_S
    while time.monotonic() < waited_until and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{settings.issuer}/health/ready", timeout=2, trust_env=False).is_success:
                return process
        time.sleep(0.05)
    process.terminate()
    raise RuntimeError(f"the gateway did not become ready; its log is {settings.home / 'gateway.log'}")


def _addresses(browsers: Mapping[str, Browser]) -> Iterator[tuple[str, str]]:
    """Who asks for which address: each list first, further on, and by each of its filters."""
    operator = browsers["operator"]
    for path in _lists(operator):
        yield "operator", path
    for path in _agreement_pages(operator):
        yield "perancang", path
    for path in ("", "/consumers?waits=yes", "/agreements?open_state=submitted"):
        yield "penyetuju", f"/console{path}"


def _lists(operator: Browser) -> Iterator[str]:
    yield from (
        "/console",
        "/console?range=30d",
        "/admin/v1/overview",
        "/admin/v1/overview/traffic?range=30d",
    )
    yield from _both(
        "consumers", "consumers", ("", "search=instansi-005", "state=proposed", "after=instansi-005")
    )
    yield f"/console/consumers/{consumer(7)}"
    yield f"/admin/v1/consumers/{consumer(7)}/exchanges"
    wanted = (
        "",
        "page=150",
        "search=instansi-005",
        "standing=active",
        "standing=expired",
        "page=150&order=valid_until",
    )
    wanted += (f"consumer={consumer(7)}", "open_state=submitted", "search=flood&page=3")
    yield from _both("agreements", "policies", wanted, "kind=agreement")
    yield from ("/console/programmes", "/console/sources", "/console/settings", "/admin/v1/limits")
    yield from _log_pages(operator)
    yield from _reconciliation_pages(operator)
    shown = (
        "",
        "show=match_rate",
        "show=programme-PKH",
        "show=status-deceased",
        "show=programme-PKH&level=province",
    )
    yield from (f"/console/map?{one}" for one in shown)
    yield from (
        f"/admin/v1/maps/{one}" for one in ("measures", "measures?measure=programme&of=PKH", "choices")
    )


def _log_pages(operator: Browser) -> Iterator[str]:
    """Exchanges and acts; the log itself."""
    further = _next(operator, "/admin/v1/exchanges?limit=200")
    few, often = consumer(900), consumer(0)
    asked = ["", f"after={further}", f"consumer={often}", f"consumer={few}", "purpose=member-reconciliation"]
    asked += [
        "operation=records",
        "outcome=refused",
        "outcome=no_agreement",
        f"consumer={often}&outcome=refused",
    ]
    yield from _both("audit", "exchanges", asked)
    yield f"/console/audit?until={_days_ago(15)}"
    yield f"/console/audit?since={_days_ago(20)}&until={_days_ago(15)}&outcome=refused"
    yield f"/console/audit/exchanges/{further}"
    yield "/admin/v1/exchanges/filters"
    further = _next(operator, "/admin/v1/acts?limit=200")
    asked = [
        "",
        f"after={further}",
        "actor=operator",
        "act=policy.",
        "act=policy.submit",
        "actor=perancang&act=session.",
    ]
    yield from _both("audit/acts", "acts", asked)
    yield f"/console/audit/acts/{further}"
    yield from ("/console/audit/log", "/admin/v1/log")


def _reconciliation_pages(operator: Browser) -> Iterator[str]:
    runs = operator.open("/admin/v1/reconciliations?limit=200").response.json()["reconciliations"]
    yield from _both("reconciliations", "reconciliations", ("", f"after={runs[100]['id']}"))
    yield f"/console/reconciliations/runs/{runs[1]['id']}"
    yield f"/console/reconciliations/runs/{runs[1]['id']}?view=regions"
    further = _next(operator, "/admin/v1/findings?limit=200")
    asked = [
        "",
        f"after={further}",
        "region=35",
        "region=35.78",
        "kind=differences",
        "state=closed",
        "state=sent&kind=deceased",
    ]
    yield from _both("reconciliations/findings", "findings", asked)
    run = runs[100]["id"]
    yield f"/console/reconciliations/findings?run={run}"
    yield f"/console/reconciliations/findings?run={run}&state=closed"
    yield f"/console/reconciliations/findings?run={run}&region=35&kind=differences"
    yield "/console/reconciliations/findings?view=counts"
    yield "/console/reconciliations/findings?view=counts&region=35"
    yield f"/admin/v1/findings?run={run}"
    yield f"/console/reconciliations/findings/{further}"
    people = operator.open("/admin/v1/reconciliations/likely-persons?limit=200").response.json()
    for page in ("", f"?after={people['next']}", "?region=35.78"):
        yield f"/console/reconciliations/likely-persons{page}"
    yield f"/admin/v1/reconciliations/likely-persons?after={people['next']}"


def _agreement_pages(operator: Browser) -> Iterator[str]:
    """One agreement, and its version that is being made, which is judged beside all the others."""
    drafted = "/admin/v1/policies?kind=agreement&open_state=draft"
    one = operator.open(drafted).response.json()["policies"][0]
    here, api = f"/console/agreements/{one['name']}", f"/admin/v1/policies/agreement/{one['name']}"
    yield from (here, f"{here}/compare")
    version = f"/versions/{one['open_version']}"
    yield from (f"{here}{version}{tab}" for tab in ("", "/fields", "/terms", "/preview", "/impact", "/text"))
    yield f"{here}/versions/{one['in_force']}"
    yield from (f"{api}{version}", f"{api}{version}/matrix", f"{api}{version}/terms", f"{api}/diff", api)
    yield from (
        "/console/agreements/_new",
        "/console/agreements/_dictionary",
        "/console/programmes/pkh/versions/1",
    )


def _both(page: str, route: str, queries: Iterable[str], always: str = "") -> Iterator[str]:
    """A list as a page and as the API's answer behind it, by each query."""
    for query in queries:
        yield f"/console/{page}?{query}"
        yield f"/admin/v1/{route}?{'&'.join(filter(None, (always, query)))}"


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def _next(browser: Browser, path: str) -> str:
    return str(browser.open(path).response.json()["next"])


def _timed(browser: Browser, path: str) -> Timed:
    seen = browser.open(path)
    first, *times = (one.response.elapsed.total_seconds() * 1e3 for one in (seen, *_again(browser, path)))
    timed = Timed(path, seen.status, len(seen.response.content) / 1024, first, tuple(times))
    print(_line(timed), flush=True)
    return timed


def _again(browser: Browser, path: str) -> Iterator[Seen]:
    return (browser.open(path) for _ in range(REPEATS))


def _line(one: Timed) -> str:
    median, worst = statistics.median(one.times_ms), max(one.times_ms)
    figures = (
        f"first {one.first_ms:6.0f}  median {median:6.0f}  worst {worst:6.0f} ms {one.kilobytes:6.0f} KiB"
    )
    return f"{'MISSES' if one.misses else '      '} {one.status} {figures}  {one.path}"


def _report(timed: Sequence[Timed]) -> None:
    missing = [one for one in timed if one.misses]
    print(f"{len(timed)} addresses, {len(missing)} beyond {GOAL_MS} ms; load {os.getloadavg()[0]:.1f}")
    for one in missing:
        print(_line(one))


if __name__ == "__main__":
    main()
