"""What the disk refuses, in words: at 3 a.m. nobody reads a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import FileUnusable


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise FileUnusable for whatever the system refuses within: no room, no right, no such folder."""
    try:
        yield
    except OSError as error:
        where = error.filename or "The disk"
        raise FileUnusable(
            f"{where}: {error.strerror or type(error).__name__}. See to room, owner and mode there, and to "
            "the account that runs this."
        ) from None
