"""On what a run was made: machine, versions, and which state of the source."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import create_engine, make_url, text

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "orjson", "pydantic")
_DATABASE_PACKAGES = ("sqlalchemy", "psycopg", "asyncpg", "joserfc", "cryptography")
_POSTGRES_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "full_page_writes")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and load, without a name that tells whose it is."""
    return {
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions(server_url: str) -> dict[str, str]:
    """What took part, and how PostgreSQL was set."""
    engine = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        postgres = {
            f"postgresql {name}": str(connection.execute(text(f"SHOW {name}")).scalar_one())
            for name in _POSTGRES_SETTINGS
        }
    engine.dispose()
    packages = {name: version(name) for name in (*_PACKAGES, *_DATABASE_PACKAGES)}
    tools = {"wrk": _first_line("wrk", "-v"), "node": _first_line("node", "--version")}
    return {"python": platform.python_version(), **packages, **postgres, **tools}


def commit() -> str:
    """The commit that was measured; with a plus where the working tree differs from it."""
    name = _first_line("git", "-C", str(_ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _first_line("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{name}+" if changed else name


def _first_line(*command: str) -> str:
    with suppress(OSError):
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        return next(iter((said.stdout or said.stderr).splitlines()), "")
    return ""


def _processor_name() -> str:
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
