"""Has a throwaway PostgreSQL archive its log by the shipped settings, with this machine's program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.backup.wal import ARCHIVED

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "postgresql"


def archiving(stack: ExitStack, folder: Path, recipient: str) -> dict[str, str]:
    """The shipped settings, led to this machine's program and folder."""
    settings = folder / "archive.toml"
    settings.write_text(f'backup_folder = "{folder / "backups"}"\nbackup_recipients = "{recipient}"\n')
    shipped = (SHIPPED / "archive.conf").read_text(encoding="utf-8")
    conf = dict(re.findall(r"^(\w+) = '?(.*?)'?$", shipped, re.MULTILINE))
    if gapura := _program():
        conf["archive_command"] = (
            conf["archive_command"]
            .replace("/etc/gapura/archive.toml", str(settings))
            .replace("/opt/gapura/bin/gapura", f"env {gapura}")
        )
        give_to_server(folder / "backups" / "wal")
    else:
        conf["archive_command"] = stack.enter_context(_handed_over(folder / "handed-over", settings))
    return conf


def give_to_server(folder: Path) -> None:
    folder.mkdir(parents=True)
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")


@contextmanager
def _handed_over(folder: Path, settings: Path) -> Iterator[str]:
    """Where PostgreSQL's account may start no Python of ours: it hands each file over, and waits for us."""
    give_to_server(folder)
    ending = threading.Event()

    def archive() -> None:
        while not ending.wait(0.05):
            for file in [path for path in folder.iterdir() if ARCHIVED.fullmatch(path.name)]:
                command = [sys.executable, "-m", "gateway", "backup", "wal", str(file)]
                subprocess.run(command, env={**os.environ, "GAPURA_SETTINGS_FILE": str(settings)}, check=True)
                file.rename(folder / f"{file.name}.done")

    thread = threading.Thread(target=archive)
    thread.start()
    place = f"{folder}/%f"
    hand_over = f'cp -p "%p" {place}.part && mv {place}.part {place}'
    try:
        yield f"{hand_over} && until [ -e {place}.done ]; do sleep 0.05; done; rm -f {place}.done"
    finally:
        ending.set()
        thread.join()


def _as_server(*command: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run something as the account of PostgreSQL."""
    environment = {"PATH": os.environ["PATH"], **(variables or {})}
    account = "nobody" if os.getuid() == 0 else None
    return subprocess.run(command, env=environment, user=account, cwd="/", capture_output=True, check=False)


def _program() -> str | None:
    """`gapura` as PostgreSQL's account can start it: by our interpreter, or the system's."""
    packages = sysconfig.get_paths()["purelib"]
    for interpreter in (sys.executable, "/usr/bin/python3"):
        variables = {"PYTHONPATH": f"{packages}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            tried = _as_server(interpreter, "-c", "import gateway.commands.backup", variables=variables)
        except OSError:
            continue
        if tried.returncode == 0:
            said = " ".join(f"{name}={value}" for name, value in variables.items())
            return f"{said} {interpreter} -m gateway"
    return None
