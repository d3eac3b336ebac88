"""The policies by which this process decides, as of the moment at which a request was admitted.

Admission reads the store's epoch in the transaction that it needs anyway. Where it is newer than what this
process has read, the texts are read before the request is decided: so a suspension counts on every worker at
the next request, and a request never waits when nothing has changed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.agreements.reading import PolicyReader
from gateway.agreements.rows import epoch_of, texts_in_force
from gateway.agreements.store import PolicyStore
from gateway.database import Database
from policies.agreement import AgreementBook


class LivePolicies:
    """One per process. `at` belongs to its event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = PolicyReader()
        self._epoch, self._book = self._read()
        self._reading = asyncio.Lock()

    @classmethod
    def opened(cls, database: Database, store: PolicyStore, folder: Path) -> LivePolicies:
        """The policies of the store, which takes those of `folder` if it has none yet.

        Raises PolicyError when texts do not load, StoreUnavailable.
        """
        store.seed(folder)
        return cls(database)

    @property
    def reader(self) -> PolicyReader:
        """The reader that knows the texts in force. It MUST NOT be given drafts: requests wait for it."""
        return self._reader

    @property
    def present(self) -> AgreementBook:
        """The book as last read: for what no request depends on."""
        return self._book

    async def at(self, epoch: int) -> AgreementBook:
        """The book at least as new as `epoch`. Raises StoreUnavailable where it cannot be read."""
        if epoch > self._epoch:
            async with self._reading:
                if epoch > self._epoch:
                    self._epoch, self._book = await asyncio.to_thread(self._read)
        return self._book

    def _read(self) -> tuple[int, AgreementBook]:
        # The epoch first: texts that are newer than it are read again, never missed.
        with self._database.reading() as connection:
            epoch = epoch_of(connection)
            texts = texts_in_force(connection)
        return epoch, self._reader.book(texts)
