"""The file by which one machine is closed while the database does not answer: `maintenance.toml` in its home.

Whoever can write the home folder can close the gateway, and nobody else. The file counts by being there: one
that is empty or cannot be read closes too, without an end that partners could be told.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import FileUnusable
from gateway.maintenance.window import Window

FILE_NAME = "maintenance.toml"
BY_FILE = "file"


def read_switch(home: Path) -> Window | None:
    """The window that the file orders, from when it was laid down; None where there is no file."""
    file = home / FILE_NAME
    try:
        laid_down = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    except OSError:
        return Window(datetime.fromtimestamp(0, UTC), None, "", BY_FILE)
    said: dict[str, object] = {}
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    until, reason = said.get("until"), said.get("reason")
    return Window(
        laid_down,
        until if isinstance(until, datetime) and until.tzinfo is not None else None,
        reason if isinstance(reason, str) else "",
        BY_FILE,
    )


def lay_down(home: Path, window: Window) -> Path:
    """Close this machine by its file; gives where it lies. Raises FileUnusable."""
    file = home / FILE_NAME
    until = "" if window.until is None else f"until = {window.until.isoformat(timespec='seconds')}\n"
    # A reason is one line of text: TOML takes it as JSON would write it.
    reason = window.reason.replace("\\", "\\\\").replace('"', '\\"')
    text = f'{until}reason = "{" ".join(reason.split())}"\n'
    try:
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise FileUnusable(f"{file} cannot be written: {error.strerror}") from error
    return file


def take_away(home: Path) -> bool:
    """Open this machine again, as far as the file closed it; gives whether there was one."""
    file = home / FILE_NAME
    there = file.exists()
    file.unlink(missing_ok=True)
    return there
