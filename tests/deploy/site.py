"""A whole site as `deploy/compose.yaml` names it, each service a plain process of this machine.

PostgreSQL has a synchronous replica beside it, as deploy/README.md recommends where an answered exchange must
survive the loss of the primary's machine. What the shipped files say is taken from there: the services and
what they are told from compose.yaml, nginx, PgBouncer and the roles from their own folders.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import URL, make_url, text

from gateway.api.examples import TOUR
from gateway.demo import stage
from gateway.grants import SERVING
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings, load_settings
from tests.certificates import Authority, Issued
from tests.deploy import servers
from tests.deploy.pgbouncer import PgBouncer, pgbouncer
from tests.deploy.servers import PostgresServer
from tests.living import LivingGateway, administering, free_port, without_gapura_variables
from tests.nginx import ADDRESS, nginx

STOP = TOUR[0]
DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSED: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
# Profiles of what no exchange goes through.
ASIDE = frozenset({"monitoring", "simulators"})
REPLICA = "replica"
OWNER = "gapura_owner"
DATABASE = "gapura"
_START_TIMEOUT_S = 90
_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def services() -> dict[str, dict[str, Any]]:
    """Those of compose.yaml through which an exchange goes, or without which none can."""
    return {
        name: service
        for name, service in COMPOSED["services"].items()
        if not ASIDE.intersection(service.get("profiles", ()))
    }


def told(service: str, variables: Mapping[str, str], secrets_folder: Path) -> dict[str, str]:
    """The environment that compose.yaml gives a service, at a site with these variables and secrets."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found[1], found[2] or "")

    return {
        name: _VARIABLE.sub(value, str(said)).replace("/run/secrets", str(secrets_folder))
        for name, said in services()[service]["environment"].items()
    }


@dataclass
class Node:
    """One gateway node: a process group of its own, as a container or a systemd unit is."""

    name: str
    port: int
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; it answers later."""
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"],
                stdout=file,
                stderr=file,
                env={**without_gapura_variables(), **self.environment},
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return when it says that it may be given requests. Raises RuntimeError with its log."""
        until = time.monotonic() + _START_TIMEOUT_S
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, verify=False) as http:  # noqa: S501
            while time.monotonic() < until and self.is_running():
                with suppress(httpx.TransportError):
                    if http.get("/health/ready").status_code == httpx.codes.OK:
                        return
                time.sleep(0.1)
        raise RuntimeError(self.log.read_text(encoding="utf-8"))

    def answered(self) -> int:
        """How many exchanges it has answered, by its log."""
        return self.log.read_text(encoding="utf-8").count('"exchange:answered"')

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """End all of its processes; with SIGKILL as a machine ends that loses its power."""
        if self.process is not None:
            os.killpg(self.process.pid, with_signal)
            self.process.wait()
            self.process = None


@dataclass
class Site:
    """Everything that runs. `office` is where an operator types `gapura ...`: on the nodes' own settings."""

    folder: Path
    primary: PostgresServer
    replica: PostgresServer
    office: LivingGateway
    nodes: tuple[Node, ...]
    bouncer: PgBouncer | None
    started: set[str]
    certifies_site: Authority
    holder: Issued
    operator_s: float = 0.0
    _https: list[httpx.Client] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.office.settings

    def partner(self) -> GatewayClient:
        """A caller with the partner's key and certificate and a connection of its own, through nginx."""
        context = ssl.create_default_context(cadata=self.certifies_site.root.pem)
        context.load_cert_chain(*self.holder.write(self.folder, "partner"))
        http = httpx.Client(verify=context, trust_env=False, timeout=30)
        self._https.append(http)
        key = stage.client_key_file(self.settings, STOP.consumer).read_text(encoding="utf-8")
        return GatewayClient(
            self.settings.issuer, STOP.consumer, json.loads(key), http, certificate_bound=True
        )

    def wait_for_replica(self, *, waiting: bool) -> None:
        """Have the primary commit nothing that the replica has not, or commit alone; the operator's act."""
        time.sleep(self.operator_s)
        await_replica(self.primary, waiting=waiting)

    def fail_over(self) -> None:
        """What the operator does when the primary is gone: promote the replica, lead PgBouncer there."""
        time.sleep(self.operator_s)
        self.replica.promote()
        if self.bouncer is not None:
            self.bouncer.lead_to(_as_role(self.replica, SERVING))
            self.bouncer.reload()

    def revive_replica(self) -> None:
        """Start it, and have the primary wait for it again, as its operator does."""
        self.replica.start()
        await_replica(self.primary, waiting=True)

    def revive_nodes(self) -> None:
        """Start those that died, as systemd does."""
        for node in self.nodes:
            if not node.is_running():
                node.start()
                node.wait_until_ready()

    def close(self) -> None:
        """Close the callers' connections."""
        for http in (*self._https, self.office.http):
            http.close()


@contextmanager
def running_site(
    *,
    workers: int = 1,
    pooled: bool = True,
    conf: Mapping[str, str] | None = None,
    operator_s: float = 0.0,
) -> Iterator[Site]:
    """All services, ready for an exchange; `conf` is for both PostgreSQLs, `pooled` means PgBouncer.

    `operator_s` is how long a person takes to notice that something must be done, and to begin.
    """
    with servers.throwaway_folder("site") as folder, ExitStack() as stack:
        primary = stack.enter_context(servers.postgres_server(folder / "primary", conf=conf))
        site = _Building(folder, primary, stack, workers)
        site.migrate()
        replica = site.replicate(conf)
        bouncer = site.pool(replica) if pooled else None
        if bouncer is None:
            site.write("settings.toml", {"database_url": _either(primary, replica)})
        nodes = site.serve()
        built = Site(
            folder,
            primary,
            replica,
            site.office(),
            nodes,
            bouncer,
            site.started,
            site.certifies_site,
            site.certifies_partners.issue(STOP.consumer),
            operator_s,
        )
        stack.callback(built.close)
        built.office.gapura("consumers", "binding", STOP.consumer, "certificate")
        yield built


@dataclass
class _Building:
    """The steps of deploy/README.md, in their order; each leaves what the next ones need."""

    folder: Path
    primary: PostgresServer
    stack: ExitStack
    workers: int
    started: set[str] = field(default_factory=lambda: {"postgresql"})
    certifies_site: Authority = field(default_factory=lambda: Authority("Site"))
    certifies_partners: Authority = field(default_factory=lambda: Authority("Partners"))

    def __post_init__(self) -> None:
        self.port = free_port()
        self.ports = {name: free_port() for name in ("gateway-1", "gateway-2")}
        self.home, self.secrets, self.nginx = (self.folder / one for one in ("home", "secrets", "nginx"))
        for folder in (self.secrets, self.nginx):
            folder.mkdir(mode=0o700)

    def write(self, file: str, content: Mapping[str, str]) -> None:
        """A file of settings, as the folder `site` of compose.yaml holds it."""
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in content.items())
        (self.secrets / file).write_text(lines, encoding="utf-8")

    def environment(self, service: str) -> dict[str, str]:
        """What a service of compose.yaml is told here, where all of them share one address."""
        variables = {"SITE_NAME": f"127.0.0.1:{self.port}", "GAPURA_WORKERS": str(self.workers)}
        said = told(service, variables, self.secrets) | {"GAPURA_HOME": str(self.home)}
        if service in self.ports:
            said |= {"GAPURA_PORT": str(self.ports[service]), "GAPURA_TRUSTED_PROXIES": f"{ADDRESS}/32"}
            del said["TMPDIR"]
        return said

    def office(self) -> LivingGateway:
        return LivingGateway(load_settings(self.environment("gateway-1")))

    def migrate(self) -> None:
        """Roles, schema, and what a site has before its first exchange: people, agreements, consumers."""
        roles = ("-q", "-v", "ON_ERROR_STOP=1", "-f", str(DEPLOY / "postgresql" / "roles.sql"))
        servers.run(self.folder, "psql", *roles, self.primary.url(), account=None)
        self.write("migrate.toml", {"database_url": self.primary.url(OWNER, DATABASE)})
        self.write("settings.toml", {"database_url": self.primary.url(SERVING, DATABASE)})
        migrating = LivingGateway(load_settings(self.environment("migrate")))
        migrating.gapura(*services()["migrate"]["command"])
        migrating.http.close()
        self.started.add("migrate")
        stage.prepare(self.office().settings, 10, lambda _words: lambda _share: None, lambda _: None)

    def replicate(self, conf: Mapping[str, str] | None) -> PostgresServer:
        """The replica; only then the primary waits for it, so that a promoted one waits for nobody."""
        made = servers.replica_of(self.primary, self.folder / REPLICA, name=REPLICA, conf=conf)
        replica = self.stack.enter_context(made)
        await_replica(self.primary, waiting=True)
        return replica

    def pool(self, replica: PostgresServer) -> PgBouncer:
        """PgBouncer, and the settings that lead the nodes there, and past it to whoever is the primary."""
        folder, port, password = self.folder / "pgbouncer", free_port(), secrets.token_hex(8)
        folder.mkdir()
        with administering(self.primary.url()) as connection:
            connection.execute(text(f"ALTER ROLE {SERVING} PASSWORD '{password}'"))
            query = text("SELECT rolpassword FROM pg_authid WHERE rolname = :role")
            secret = str(connection.execute(query, {"role": SERVING}).scalar_one())
        bouncer = pgbouncer(folder, port, _as_role(self.primary, SERVING), {SERVING: secret})
        entered = self.stack.enter_context(bouncer)
        pooled = f"postgresql://{SERVING}:{password}@127.0.0.1:{port}/{DATABASE}"
        direct = _either(self.primary, replica)
        self.write("settings.toml", {"database_url": pooled, "database_direct_url": direct})
        self.started.add("pgbouncer")
        return entered

    def serve(self) -> tuple[Node, ...]:
        """Both nodes on one folder of keys, and nginx before them."""
        nodes = tuple(
            Node(name, port, self.environment(name), self.folder / f"{name}.log")
            for name, port in self.ports.items()
        )
        for node in nodes:
            self.stack.callback(node.stop, signal.SIGKILL)  # it would take its time to let callers go
            node.start()
        for node in nodes:
            node.wait_until_ready()
        first, second = (f"http://127.0.0.1:{node.port}" for node in nodes)
        before = nginx(
            self.nginx,
            self.port,
            upstream=first,
            second=second,
            clients=self.certifies_partners,
            site=self.certifies_site,
        )
        self.stack.enter_context(before)
        self.started |= {"nginx", *self.ports}
        return nodes


def await_replica(primary: PostgresServer, *, waiting: bool) -> None:
    """Have the primary commit nothing without the replica, once that one is there; or go on alone."""
    primary.configure({"synchronous_standby_names": REPLICA if waiting else ""})
    primary.reload()
    until = time.monotonic() + _START_TIMEOUT_S
    while waiting and standing(primary) != {REPLICA: "sync"}:
        assert time.monotonic() < until, primary.log
        time.sleep(0.02)


def standing(primary: PostgresServer) -> dict[str, str]:
    """Who follows this primary, and how: `sync` is one without whom nothing is committed."""
    with administering(primary.url()) as connection:
        rows = connection.execute(text("SELECT application_name, sync_state FROM pg_stat_replication"))
        return {row.application_name: row.sync_state for row in rows}


def _as_role(server: PostgresServer, role: str) -> URL:
    return make_url(server.url(role, DATABASE))


def _either(*those: PostgresServer) -> str:
    """The address of whichever of these servers is the primary, as deploy/README.md writes it."""
    hosts, ports = ",".join("127.0.0.1" for _ in those), ",".join(str(one.port) for one in those)
    return f"postgresql://{SERVING}@/{DATABASE}?host={hosts}&port={ports}&target_session_attrs=read-write"
