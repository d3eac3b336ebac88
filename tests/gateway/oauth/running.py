"""A gateway of only the OAuth routes and two protected ones: in a thread, or as a worker process.

As a program, `KEYS DATABASE_URL ISSUER PORT`, it serves until it is told to stop.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.database import Database
from gateway.errors import InsufficientScope, Unauthenticated
from gateway.keys import Keys
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.certificates import ClientCertificates
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.endpoints import oauth_router
from gateway.oauth.nonces import Nonces
from tests.living import free_port

TOKEN_LIFETIME_S = 300
RECORDS = "/v1/records"
ELIGIBILITY = "/v1/eligibility"


def now() -> datetime:
    return datetime.now(UTC)


# The tests stand on this machine, where the proxy would be.
BESIDE = ClientCertificates([ip_network("127.0.0.1")])


def build_app(database: Database, keys: Keys, issuer: str) -> FastAPI:
    bearer = BearerCheck(database=database, keys=keys, issuer=issuer, clock=now, certificates=BESIDE)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI):  # noqa: ANN202 - the framework's
        yield
        bearer.close()

    app = FastAPI(lifespan=lifespan)
    app.include_router(
        oauth_router(
            database=database,
            keys=keys,
            issuer=issuer,
            token_lifetime_s=TOKEN_LIFETIME_S,
            clock=now,
            certificates=BESIDE,
        )
    )

    @app.exception_handler(Unauthenticated)
    async def challenged(_request: Request, error: Unauthenticated) -> JSONResponse:
        return JSONResponse(
            {"code": error.code, "detail": error.detail},
            403 if isinstance(error, InsufficientScope) else 401,
            {"WWW-Authenticate": error.challenge, "DPoP-Nonce": error.dpop_nonce or ""},
        )

    def protect(path: str, scope: str) -> None:
        @app.api_route(path, methods=["GET", "POST"], include_in_schema=False)
        async def protected(
            request: Request,
            consumer: Consumer = Depends(bearer.requiring(scope)),  # noqa: B008 - names a local
        ) -> JSONResponse:
            return JSONResponse(
                {"consumer": consumer.id, "sector": consumer.sector, "regions": consumer.regions},
                headers={"DPoP-Nonce": request.state.dpop_nonce or ""},
            )

    protect(RECORDS, "records")
    protect(ELIGIBILITY, "eligibility")
    return app


@dataclass(frozen=True)
class Shared:
    """What all workers of one gateway share: the folder that holds `keys`, and the database."""

    folder: Path
    database: Database


@dataclass(frozen=True)
class RunningGateway:
    """What tests need of a gateway that answers at `url` and calls itself `issuer`."""

    url: str
    issuer: str
    database: Database
    keys: Keys
    store: ConsumerStore
    http: httpx.Client

    def nonce(self, *, age_s: float = 0) -> str:
        return Nonces(self.keys.nonce_key).current(time.time() - age_s)


@contextlib.contextmanager
def running_gateway(shared: Shared) -> Iterator[RunningGateway]:
    """The gateway in a thread of this process."""
    keys = Keys.open(shared.folder / "keys")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build_app(shared.database, keys, url)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="on", access_log=False, proxy_headers=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
            yield RunningGateway(url, url, shared.database, keys, ConsumerStore(shared.database), http)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextlib.contextmanager
def worker_processes(shared: Shared, *, issuer: str, count: int) -> Iterator[list[RunningGateway]]:
    """The gateway in processes of their own, each on its own port; they know themselves by `issuer` only."""
    database_url = shared.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", __name__, str(shared.folder / "keys"), database_url, issuer]
    ports = [free_port() for _ in range(count)]
    with contextlib.ExitStack() as stack:
        processes = [subprocess.Popen([*command, str(port)]) for port in ports]
        stack.callback(lambda: [process.wait() for process in processes])
        stack.callback(lambda: [process.terminate() for process in processes])
        running = []
        for process, port in zip(processes, ports, strict=True):
            url = f"http://127.0.0.1:{port}"
            http = stack.enter_context(httpx.Client(base_url=url, timeout=30, trust_env=False))
            _wait_until_it_answers(process, http)
            keys = Keys.open(shared.folder / "keys")
            running.append(
                RunningGateway(url, issuer, shared.database, keys, ConsumerStore(shared.database), http)
            )
        yield running


def _wait_until_it_answers(process: subprocess.Popen[bytes], http: httpx.Client) -> None:
    while process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            http.get("/oauth/jwks").raise_for_status()
            return
        time.sleep(0.05)
    raise RuntimeError(f"the worker ended with {process.returncode}")


if __name__ == "__main__":
    keys_folder, served_database, public_issuer, served_port = sys.argv[1:]
    uvicorn.run(
        build_app(Database(served_database), Keys.open(Path(keys_folder)), public_issuer),
        port=int(served_port),
        log_level="warning",
        access_log=False,
    )
