"""What processes used: processor time and memory of a server with all its children, from /proc."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from sqlalchemy import make_url

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Processes:
    """A process and everything that it started, living or ended."""

    root: psutil.Process

    @classmethod
    def of(cls, pid: int) -> Processes:
        """Those of the process with this number."""
        return cls(psutil.Process(pid))

    def living(self) -> list[psutil.Process]:
        """The process itself, then its children and theirs."""
        return [self.root, *self.root.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor seconds used so far. What has ended counts with whoever waited for it."""
        used = 0.0
        for process in self.living():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
        return used

    def largest_rss_mib(self) -> float:
        """Resident memory of the largest of them: with several workers, of one worker."""
        sizes = [0]
        for process in self.living():
            with suppress(psutil.NoSuchProcess):
                sizes.append(process.memory_info().rss)
        return max(sizes) / MIB

    def keep_to(self, cores: list[int]) -> None:
        """Let them run on these cores only; what they start afterwards inherits it."""
        for process in self.living():
            with suppress(psutil.NoSuchProcess):
                process.cpu_affinity(cores)


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose processor time a round counts; `database` None where there is none, or it runs elsewhere."""

    server: Processes
    database: Processes | None = None


def postgres_processes(database_url: str) -> Processes | None:
    """All processes of the PostgreSQL that serves this URL; None when they run on another machine."""
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        backend = connection.info.backend_pid
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(backend)
            parent = process.parent()
            if process.name().startswith("postgres") and parent is not None:
                return Processes(parent)
    return None


def apart(prepare: Callable[..., Any], *arguments: Any) -> None:
    """Call it in a process of its own: Linux lets whatever a process starts begin with its peak memory."""
    process = multiprocessing.get_context("spawn").Process(target=prepare, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
