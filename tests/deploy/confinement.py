"""Starts a program under the limits that a systemd unit sets, where no systemd runs.

`python confinement.py UNIT PROGRAM ...`, as root only. It reads the unit, so that what is tried is what is
shipped: its system call filter, its address families, no name spaces, no memory that is writable and
executable, no capabilities, users and devices of its own, a read-only file system but for `CONFINED_HOME`, a
/proc of processes alone. What systemd does besides (control groups, clock, realtime) is not tried.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
_ALLOW, _REFUSE, _NOT_THERE = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_EQUAL, _MASKED_EQUAL = 4, 7  # of libseccomp's comparisons
# CLONE_NEWCGROUP, -UTS, -IPC, -USER, -PID, -NET, -NS: the flags are the first argument of these two.
_NEW_NAME_SPACES = 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00020000
_BY_FLAGS = ("clone", "unshare")
# What systemd leaves of /dev.
_DEVICES = "null zero full random urandom tty"
_INSIDE = "CONFINED_INSIDE"


def confined(unit: Path, home: Path, *program: str) -> list[str]:
    """The command that runs `program` as the unit would be run, with `home` as its only writable folder."""
    return ["env", f"CONFINED_HOME={home}", sys.executable, __file__, str(unit), *program]


def is_possible() -> bool:
    """Whether this machine lets us: root, name spaces, and the library that makes filters."""
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "systemd-analyze"))):
        return False
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return tried.returncode == 0 and Path("/usr/lib/x86_64-linux-gnu/libseccomp.so.2").exists()


def directive(unit: Path, name: str) -> list[str]:
    """The values of a directive, in their order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def system_calls(unit: Path) -> set[str]:
    """The system calls that the unit allows, its groups resolved as this machine's systemd has them."""
    allowed: set[str] = set()
    for value in directive(unit, "SystemCallFilter"):
        names = {call for word in value.removeprefix("~").split() for call in _calls_of(word)}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def _calls_of(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True
    ).stdout
    members = [line.strip() for line in said.splitlines()[1:]]
    return {call for member in members if member and member[0] != "#" for call in _calls_of(member)}


def _step_inside(unit: Path) -> None:
    """Come again in name spaces of our own, with nothing writable but the home, and no capability."""
    home = os.environ["CONFINED_HOME"]
    mounts = (
        f"mount --bind {home} {home} && mount -o remount,bind,ro / && "
        "umount -l /proc && mount -t proc -o subset=pid,hidepid=invisible proc /proc"
    )
    if directive(unit, "PrivateDevices") == ["yes"]:
        mounts += f" && {_own_devices(f'{home}/.devices')}"
    users = "unshare --user --map-root-user " if directive(unit, "PrivateUsers") == ["yes"] else ""
    drop = f'exec {users}setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"'
    own = [sys.executable, *sys.argv]
    os.environ |= {_INSIDE: "yes", "TMPDIR": home}
    limits = ["unshare", "--mount", "sh", "-ec", f"{mounts}; {drop}", "sh"]
    os.execvp(limits[0], [*limits, *own])  # noqa: S606 - it becomes the program


def _own_devices(folder: str) -> str:
    """A /dev of those that do nothing, and of the memory that processes share; made at `folder`, moved."""
    return (
        f"mkdir {folder} && mount -t tmpfs -o nosuid,noexec,mode=755 devices {folder} && "
        f"for one in {_DEVICES}; do touch {folder}/$one && mount --bind /dev/$one {folder}/$one; done && "
        f"mkdir {folder}/shm && mount --bind /dev/shm {folder}/shm && mount --move {folder} /dev && "
        f"rmdir {folder}"
    )


def _filter_calls(unit: Path) -> None:
    library: Any = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(_REFUSE))
    families = [getattr(socket, name) for name in directive(unit, "RestrictAddressFamilies")[0].split()]
    confines = directive(unit, "RestrictNamespaces") == ["yes"]
    for call in system_calls(unit):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if call == "socket":
            for family in families:
                _check(library.seccomp_rule_add(rules, _ALLOW, number, 1, _Compared(0, _EQUAL, family, 0)))
        elif confines and call in _BY_FLAGS:
            none_new = _Compared(0, _MASKED_EQUAL, _NEW_NAME_SPACES, 0)
            _check(library.seccomp_rule_add(rules, _ALLOW, number, 1, none_new))
        elif confines and call == "clone3":  # its flags cannot be looked at: callers fall back to clone
            _check(library.seccomp_rule_add(rules, _NOT_THERE, number, 0))
        elif confines and call == "setns":
            continue
        elif number >= 0:  # others are of other processors
            _check(library.seccomp_rule_add(rules, _ALLOW, number, 0))
    _check(library.seccomp_load(rules))


class _Compared(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def _check(result: int) -> None:
    if result != 0:
        raise OSError(abs(result), "the kernel refuses the limit")


def _main() -> None:
    unit, program = Path(sys.argv[1]), sys.argv[2:]
    if _INSIDE not in os.environ:
        _step_inside(unit)
    c: Any = ctypes.CDLL(None, use_errno=True)
    _check(c.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if directive(unit, "MemoryDenyWriteExecute") == ["yes"]:
        _check(c.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))
    _filter_calls(unit)
    os.execvp(program[0], program)  # noqa: S606 - it becomes the program


if __name__ == "__main__":
    _main()
