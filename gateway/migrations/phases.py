"""Which revisions there are, in which phase each stands, and which code may serve on which of them.

A change that running code would not survive is made in three steps (expand, backfill, contract), so that
version N and N+1 can serve side by side. Each revision says in `phase` which of them it is, or that it adds
indexes alone:

- `expand` adds what the code before it does not notice: a table, a column that is empty or has a default.
- `backfill` fills it in `batch(connection) -> int`, a few hundred rows at a time, and gives how many it
  filled; 0 ends it. A batch MUST find its rows by what is still missing, so that it can be killed anywhere.
  What is left to do in one piece stands in `upgrade`, which comes after the last batch.
- `index` builds its `indexes` (a list of `gateway.migrations.indexes.OnlineIndex`) outside any transaction,
  while others write; its `upgrade` does nothing.
- `contract` takes away what only older code needs. There is no way back to that code afterwards.

Pure, but for reading the revisions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from gateway.migrations.indexes import OnlineIndex

Phase = Literal["expand", "backfill", "index", "contract"]

_HERE = Path(__file__).parent
# Made before two versions ever served side by side, and before a revision said what it is.
_LAST_WITHOUT_PHASE = "0021"


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the schema's history; `batch` is what a backfill repeats, `indexes` are built online."""

    number: str
    phase: Phase
    batch: Callable[[Connection], int] | None = None
    indexes: tuple[OnlineIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Every revision that this code knows, the oldest first."""

    revisions: tuple[Revision, ...]

    @property
    def head(self) -> str:
        """The newest one."""
        return self.revisions[-1].number

    def knows(self, number: str) -> bool:
        """Whether this code was written with or after the revision."""
        return any(one.number == number for one in self.revisions)

    def pending(self, present: str | None) -> tuple[Revision, ...]:
        """What a schema at `present` lacks, in order; nothing for one that is newer than this code."""
        if present is None:
            return self.revisions
        numbers = [one.number for one in self.revisions]
        return self.revisions[numbers.index(present) + 1 :] if present in numbers else ()

    def may_serve(self, present: str | None, floor: str | None) -> bool:
        """Whether this code may serve on a schema at `present` that asks for code which knows `floor`.

        It may on one that is newer, until a contract takes away what this code needs; and on one that lacks
        nothing but contracts. Unknown means no.
        """
        if present is None or floor is None or not self.knows(floor):
            return False
        return all(one.phase == "contract" for one in self.pending(present))


def before_contract(pending: Sequence[Revision]) -> list[Revision]:
    """Those that may be applied while older code serves."""
    return list(takewhile(lambda one: one.phase != "contract", pending))


def config_of(folders: tuple[Path, ...] = ()) -> Config:
    """Alembic's configuration for the shipped revisions, and those of `folders` that go on from them."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    config.set_main_option(
        "version_locations", os.pathsep.join(str(folder) for folder in (_HERE / "versions", *folders))
    )
    return config


@cache
def history_of(folders: tuple[Path, ...] = ()) -> History:
    """The history as the files tell it. Raises RuntimeError for a revision that does not say what it is."""
    scripts = ScriptDirectory.from_config(config_of(folders)).walk_revisions()
    return History(tuple(_revision(script) for script in reversed(list(scripts))))


def _revision(script: Script) -> Revision:
    number = script.revision
    phase: Any = getattr(script.module, "phase", "expand" if number <= _LAST_WITHOUT_PHASE else None)
    batch = getattr(script.module, "batch", None)
    indexes = tuple(getattr(script.module, "indexes", ()))
    if (
        phase not in get_args(Phase)
        or (phase == "backfill") != (batch is not None)
        or (phase == "index") != bool(indexes)
    ):
        raise RuntimeError(
            f"revision {number}: expected phase = one of {', '.join(get_args(Phase))}, a function batch in a "
            "backfill alone, and indexes in an index alone"
        )
    return Revision(number, phase, batch, indexes)
