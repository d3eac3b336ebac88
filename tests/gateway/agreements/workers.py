"""Connections to each worker of a gateway: which process answers one is read from the kernel, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

_MOST_CONNECTIONS = 100


@contextmanager
def one_connection_per_worker(url: str, count: int) -> Iterator[list[httpx.Client]]:
    """A connection to each of `count` workers: as many are opened as it takes to meet them all."""
    port = httpx.URL(url).port
    assert port is not None
    met: dict[int, httpx.Client] = {}
    with ExitStack() as stack:
        for _ in range(_MOST_CONNECTIONS):
            lasting = httpx.Limits(keepalive_expiry=None)
            client = stack.enter_context(httpx.Client(trust_env=False, timeout=30, limits=lasting))
            answer = client.get(f"{url}/health/live")
            ours = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
            met.setdefault(_holder_of(port, ours), client)
            if len(met) == count:
                break
        assert len(met) == count, f"{_MOST_CONNECTIONS} connections met {len(met)} workers"
        yield list(met.values())


def _holder_of(port: int, peer: int) -> int:
    """The process that holds the server's end of the connection from `peer` to `port`."""
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        ends = [int(end.split(":")[1], 16) for end in fields[1:3]]
        if ends == [port, peer]:
            return _process_with(f"socket:[{fields[9]}]")
    raise AssertionError("the connection is not in /proc/net/tcp")


def _process_with(socket: str) -> int:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) == socket:
                return int(descriptor.parts[2])
        except OSError:
            continue  # the process ended meanwhile, or is somebody else's
    raise AssertionError("nobody holds the connection")
