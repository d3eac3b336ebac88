"""A PostgreSQL server whose machine vanishes from the network, without the farewell of a process that dies.

It is a process of this machine in a network of its own, a cable between: needs root and network name spaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.deploy.servers import PostgresServer, postgres_server

# Of a network for documentation (RFC 5737): no machine has these.
_HERE, _THERE = "203.0.113.1", "203.0.113.2"


@dataclass(frozen=True)
class FarServer:
    """One at the other end of a cable."""

    server: PostgresServer
    network: str

    def vanish(self) -> None:
        """Pull the cable at its end. From here on nobody hears of it, nor that it is gone."""
        _ip("-n", self.network, "link", "set", "far", "down")


@contextmanager
def far_server(folder: Path) -> Iterator[FarServer]:
    """A new, empty server in a network of its own."""
    network = f"gapura-{os.getpid()}"
    near = f"near{os.getpid()}"
    _ip("netns", "add", network)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", network)
        _ip("address", "add", f"{_HERE}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", network, "address", "add", f"{_THERE}/24", "dev", "far")
        _ip("-n", network, "link", "set", "far", "up")
        account = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        within = ("ip", "netns", "exec", network, *account)
        with postgres_server(folder, host=_THERE, within=within) as server:
            yield FarServer(server, network)
    finally:
        _ip("netns", "delete", network)  # and the cable with it


@cache
def _is_possible() -> bool:
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "setpriv"))):
        return False
    probe = f"gapura-probe-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)
    return tried.returncode == 0


needs_networks = pytest.mark.skipif(
    not _is_possible(), reason="a machine that vanishes needs root, iproute2 and network name spaces"
)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
