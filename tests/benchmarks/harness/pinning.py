"""Keeping the load away from what is measured, where the machine has cores for both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.harness.processor import Watched


@dataclass(frozen=True, slots=True)
class Pins:
    """Cores for servers, and others for load and database; both empty where there are too few."""

    servers: tuple[int, ...] = ()
    others: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.servers:
            cores = len(os.sched_getaffinity(0))
            return f"not pinned: server, PostgreSQL and wrk share {cores} cores"
        return (
            f"pinned: servers on {len(self.servers)} cores, PostgreSQL and wrk on {len(self.others)} others"
        )

    def apply(self, watched: Watched) -> None:
        """Keep a server to its cores, and its database to the others."""
        if self.servers:
            watched.server.keep_to(list(self.servers))
            if watched.database:
                watched.database.keep_to(list(self.others))


@contextmanager
def pinned(server_cores: int) -> Iterator[Pins]:
    """This process, and what it starts from now on, on other cores than `server_cores` of the machine's."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 * server_cores:
        yield Pins()
        return
    pins = Pins(tuple(cores[:server_cores]), tuple(cores[server_cores:]))
    os.sched_setaffinity(0, pins.others)
    try:
        yield pins
    finally:
        os.sched_setaffinity(0, cores)
