"""What every measure works with: one PostgreSQL for the whole run, stocked gateways, people to ask about."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from sqlalchemy import create_engine, make_url, text

from tests.benchmarks.harness.callers import CONSUMER, Caller, caller
from tests.benchmarks.harness.load import CONNECTIONS, nothing, run_wrk, write_requests
from tests.benchmarks.harness.processor import Processes, Watched, postgres_processes
from tests.benchmarks.harness.rounds import Contender, Round, Spoiled
from tests.benchmarks.harness.servers import serve_patiently
from tests.benchmarks.harness.upkeep import until_kept_up
from tests.conftest import empty_postgres_database
from tests.living import LivingGateway, stocked_gateway

PATH = "/v1/eligibility"
POLICIES = Path(__file__).parents[3] / "policies"
# How many different people are asked about in turn.
PEOPLE_ASKED = 5_000
_AGREEMENT = "agreements/bpjs-pbi-jk.yaml"
_LIMIT, _HIGHEST = "requests_per_minute: 60000", "requests_per_minute: 1000000"
# Single-use requests that are made for the first round; later ones go by what was answered before.
_FIRST_GUESS_PER_SECOND = 4_000
_HEADROOM = 2.0
_AT_LEAST_PER_SECOND = 300


@dataclass(frozen=True, slots=True)
class Options:
    """How long, how often, about how many people. `binding` is that of measures that are not about one."""

    rounds: int = 5
    seconds: int = 4
    people: int = 10_000
    many_people: int = 10_000_000
    many_agreements: int = 5_000
    requests: int = 1_000_000
    minutes: int = 10
    binding: str = "mtls"
    log_level: str = "WARNING"


@dataclass(frozen=True)
class Bench:
    """One run. `server_url` is a PostgreSQL where databases can be made; `folder` is gone afterwards."""

    options: Options
    server_url: str
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def gateway(
        self,
        *,
        sqlite: bool = False,
        workers: int = 1,
        policies: Path | None = None,
    ) -> Iterator[LivingGateway]:
        """A served gateway on synthetic people, whose consumer may ask as fast as it can."""
        home = self.fresh_folder()
        with self._database(home, sqlite) as url:
            settings = {"policies": policies or self.policies(), "trusted_proxies": "127.0.0.0/8"}
            settings |= {"log_level": self.options.log_level, "workers": workers}
            with stocked_gateway(home, url, people=self.options.people, **settings) as living:
                serve_patiently(living)
                yield living

    def caller(self, gateway: LivingGateway, binding: str | None = None) -> Caller:
        """Its consumer, with tokens bound as the run says."""
        return caller(gateway, binding or self.options.binding)

    def watched(self, gateway: LivingGateway) -> Watched:
        """The processes of a gateway and of its database."""
        assert gateway.process is not None
        url = gateway.settings.effective_database_url
        postgres = None if url.startswith("sqlite") else postgres_processes(url)
        return Watched(Processes.of(gateway.process.pid), postgres)

    def policies(self, copies: int = 0) -> Path:
        """A folder of the shipped policies with limits that load does not reach, and more agreements."""
        folder = self.folder / f"policies-{copies}"
        if not folder.exists():
            shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
            shipped = folder / _AGREEMENT
            words = shipped.read_text(encoding="utf-8")
            if _LIMIT not in words:
                raise ValueError(f"{_AGREEMENT}: expected the line {_LIMIT}, got another")
            shipped.write_text(words.replace(_LIMIT, _HIGHEST), encoding="utf-8")
            for number in range(copies):
                other = words.replace("bpjs-pbi-jk", f"other-{number}").replace(CONSUMER, f"agency-{number}")
                (folder / "agreements" / f"other-{number}.yaml").write_text(other, encoding="utf-8")
        return folder

    def fresh_folder(self) -> Path:
        """An empty folder of this run."""
        folder = self.folder / f"folder-{next(self._numbers)}"
        folder.mkdir()
        return folder

    @contextmanager
    def _database(self, home: Path, sqlite: bool) -> Iterator[str]:
        if sqlite:
            yield f"sqlite:///{home / 'gapura.db'}"
            return
        with empty_postgres_database(self.server_url) as url:
            yield url


@dataclass
class Asking:
    """One contender: a gateway asked by its consumer. Each call is a round; requests are made before it.

    `per_second` is for how many answers single-use requests are made; it follows what was answered.
    """

    url: str
    watched: Watched
    caller: Caller
    bodies: list[bytes]
    file: Path
    seconds: int
    connections: int = CONNECTIONS
    path: str = PATH
    upkeep: Callable[[], None] = nothing
    per_second: float = _FIRST_GUESS_PER_SECOND

    def __call__(self) -> Round:
        """One round. Where single-use requests ran out, it is made again with twice as many."""
        one = self._round()
        if one.errors and self.caller.single_use and one.answered > self._prepared():
            self.per_second *= 2
            one = self._round()
        self.per_second = max(self.per_second / 2, one.per_second * _HEADROOM, _AT_LEAST_PER_SECOND)
        return one

    def _prepared(self) -> int:
        if not self.caller.single_use:
            return len(self.bodies)
        return int(self.per_second * self.seconds) + self.connections

    def _round(self) -> Round:
        write_requests(self.file, self.caller.requests(self.path, self.bodies, self._prepared()))
        return run_wrk(
            self.url,
            self.watched,
            self.seconds,
            requests=self.file,
            connections=self.connections,
            upkeep=self.upkeep,
        )


def asking(
    bench: Bench,
    gateway: LivingGateway,
    *,
    bodies: list[bytes],
    binding: str | None = None,
    connections: int = CONNECTIONS,
    per_second: float = _FIRST_GUESS_PER_SECOND,
) -> Asking:
    """A gateway as a contender of this run; `per_second` is a first guess at what it answers, rather high."""
    return Asking(
        url=gateway.url,
        watched=bench.watched(gateway),
        caller=bench.caller(gateway, binding),
        bodies=bodies,
        file=bench.fresh_folder() / "requests",
        seconds=bench.options.seconds,
        connections=connections,
        upkeep=until_kept_up(gateway.settings.effective_database_url),
        per_second=per_second,
    )


def refuse_errors(one: Round, what: str) -> None:
    """Raise Spoiled when a request of the round failed."""
    if one.errors:
        raise Spoiled(f"{what}: {one.errors} of {one.answered} requests failed")


def question(niks: list[str]) -> bytes:
    """Whether these people are eligible, as BPJS Kesehatan asks."""
    subjects = [{"ref": str(at), "nik": nik} for at, nik in enumerate(niks, start=1)]
    return orjson.dumps({"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": subjects})


def some_niks(database_url: str, count: int = PEOPLE_ASKED) -> list[str]:
    """NIKs of people from all over the registry, in no order."""
    chosen = text("SELECT nik FROM people WHERE length(nik) = 16 ORDER BY random() LIMIT :count")
    engine = create_engine(make_url(database_url))
    try:
        with engine.connect() as connection:
            return list(connection.execute(chosen, {"count": count}).scalars())
    finally:
        engine.dispose()


__all__ = ["Asking", "Bench", "Contender", "Options", "asking", "question", "refuse_errors", "some_niks"]
