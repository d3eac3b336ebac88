"""What nginx as it is shipped does with two nodes, when one is down, dies, or is flooded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import create_default_context

import httpx
import pytest

from tests.certificates import Authority
from tests.living import free_port
from tests.nginx import needs_nginx, nginx

PARTNERS, SITE = Authority("Partners"), Authority("Site")

pytestmark = needs_nginx


class Node(ThreadingHTTPServer):
    """A node that counts what it is asked, and may drop the connection instead of answering."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dies = False
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Node

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.command)
        if self.server.dies:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the base class looks for it

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@contextmanager
def _node() -> Iterator[Node]:
    with Node() as node:
        thread = threading.Thread(target=node.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield node
        finally:
            node.shutdown()
            thread.join()


@contextmanager
def _before(folder: Path, first: str, second: str) -> Iterator[httpx.Client]:
    """A client of nginx before two nodes."""
    port = free_port()
    context = create_default_context(cadata=SITE.root.pem)
    with (
        nginx(folder, port, upstream=first, second=second, clients=PARTNERS, site=SITE),
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, trust_env=False) as http,
    ):
        yield http


@pytest.fixture
def nodes() -> Iterator[tuple[Node, Node]]:
    with ExitStack() as stack:
        yield stack.enter_context(_node()), stack.enter_context(_node())


def test_both_nodes_are_asked(tmp_path: Path, nodes: tuple[Node, Node]) -> None:
    with _before(tmp_path, nodes[0].url, nodes[1].url) as http:
        assert {http.post("/v1/eligibility").status_code for _ in range(8)} == {200}
    assert all(len(node.asked) >= 2 for node in nodes)


def test_nobody_notices_a_node_that_is_down(tmp_path: Path, nodes: tuple[Node, Node]) -> None:
    with _before(tmp_path, f"http://127.0.0.1:{free_port()}", nodes[0].url) as http:
        assert {http.post("/v1/eligibility").status_code for _ in range(8)} == {200}
    assert len(nodes[0].asked) == 8


def test_what_a_dying_node_may_have_done_is_not_asked_of_the_other(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    for node in nodes:
        node.dies = True
    with _before(tmp_path, nodes[0].url, nodes[1].url) as http:
        assert http.post("/v1/eligibility").status_code == 502
        assert [*nodes[0].asked, *nodes[1].asked] == ["POST"]
        assert http.get("/v1/agreements").status_code == 502
        assert sorted([*nodes[0].asked, *nodes[1].asked]) == ["GET", "GET", "POST"]


def test_whoever_floods_the_token_endpoint_is_told_to_slow_down(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    with _before(tmp_path, nodes[0].url, nodes[1].url) as http, ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: http.post("/oauth/token").status_code, range(400)))
        assert http.post("/v1/eligibility").status_code == 200
    assert set(said) == {200, 429}
    assert said.count(200) >= 100
