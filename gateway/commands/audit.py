"""`gapura audit`: check the log, prove an exchange from it, let others witness it, erase under an order."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gateway.audit import detaching, erasure
from gateway.audit.bundle import bundle as make_bundle
from gateway.audit.proofs import Checkpoint, InclusionProof, Unproven, VerifierKey
from gateway.audit.publication import standalone_verifier
from gateway.audit.transparency import TransparentLog, open_log
from gateway.audit.verification import dump as dump_log
from gateway.audit.verification import verify as verify_log
from gateway.audit.witnesses import accept_cosignatures, add_witness, withdraw_witness
from gateway.commands import witness
from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.oauth.consumers import ConsumerStore
from gateway.oauth.identity import identity_in
from gateway.settings import load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import Role

app = typer.Typer(help="The audit log: what was exchanged, provably.", no_args_is_help=True)
witness.add_to(app)

_Exchange = Annotated[
    UUID, typer.Argument(metavar="ID", help="The exchange_id of an answer.", show_default=False)
]
_As = Annotated[str, typer.Option("--as", help="Your staff account, which has the role auditor or operator.")]
# Who may change what the log shows, or who vouches for it.
_IN_CHARGE: tuple[Role, ...] = ("auditor", "operator")


@contextmanager
def _opened() -> Iterator[tuple[Database, Keys, TransparentLog]]:
    settings = load_settings()
    with opened_database() as database:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        yield database, keys, open_log(database, keys, settings.issuer, _now)


def _now() -> datetime:
    return datetime.now(UTC)


@app.command()
def verify(
    first: Annotated[int, typer.Option("--from", min=0, help="First entry whose text is read.")] = 0,
    last: Annotated[int | None, typer.Option("--to", min=0, help="Last entry whose text is read.")] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere; repeatable.")
    ] = None,
) -> None:
    """Recompute the log from its entries up to every signed checkpoint, and name the first bad entry.

    Exit code 1 when something is wrong. Without a checkpoint kept elsewhere, a database that was rolled back
    as a whole looks sound.
    """
    kept = [path.read_text(encoding="utf-8") for path in checkpoint or ()]
    with _opened() as (database, _keys, log), _progress("Recomputing the log") as progress:
        keys = log.keyring.verifiers()
        try:
            report = verify_log(database, *keys, first=first, last=last, kept_notes=kept, progress=progress)
        except Unproven as problem:
            _fail(str(problem))
    if report.finding:
        _fail(str(report.finding))
    print(f"{report.entries} entries agree with {report.checkpoints} signed checkpoints of {log.origin}.")
    if report.detached:
        print(
            f"  {report.detached} of them in months that were detached under an order: by their hashes alone"
        )
    for index in report.erased:
        print(f"  entry {index}: erased under an order that the log holds; its hash stands")


@app.command()
def dump(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write; JSON lines.", show_default=False)
    ],
) -> None:
    """Write the whole log for the stand-alone verifier. The file holds keyed hashes of people: guard it."""
    with _opened() as (database, _keys, log), file.open("wb") as out:
        file.chmod(0o600)
        keys = log.keyring.verifiers()
        count = sum(out.write(line) > 0 for line in dump_log(database, *keys))
    print(f"{count} lines are in {file}. Check: python verify.py log {file} {_as_options(keys)}")


@app.command()
def verifier() -> None:
    """Print the stand-alone verifier: one file that needs Python and `cryptography` only."""
    sys.stdout.write(standalone_verifier())


@app.command()
def key() -> None:
    """Show the log's public keys, the newest first; more than one after a rotation.

    Give them to partners and witnesses by another way than this gateway.
    """
    with _opened() as (_database, _keys, log):
        for one in log.keyring.verifiers():
            print(one)


@app.command()
def bundle(
    reference: Annotated[
        UUID,
        typer.Argument(
            metavar="ID",
            help="The exchange_id of an answer, or the reference of an act of staff.",
            show_default=False,
        ),
    ],
    file: Annotated[
        Path | None, typer.Option("--output", help="Where to write; else bundle-ID.json.")
    ] = None,
) -> None:
    """Write one file that proves an exchange, or an act of staff, offline.

    With the salt of an exchange a NIK can be guessed: guard the file.
    """
    target = file or Path(f"bundle-{reference}.json")
    with _opened() as (database, keys, log):
        content = make_bundle(log, keys.audit_key, reference, identity_in(ConsumerStore(database)))
        signed = Checkpoint.parse(InclusionProof.parse(content["proof"]).note)
        signers = [key for key in log.keyring.verifiers() if signed.signed_by(key)][:1]
    target.touch(mode=0o600)
    target.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    proven = "exchange" if content["consumer"] else "act"
    print(f"{target} proves the {proven}. Check: python verify.py bundle {target} {_as_options(signers)}")


@app.command()
def cosign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A cosigned checkpoint.", show_default=False)],
) -> None:
    """Keep a witness's cosignature that came as a file."""
    with _opened() as (database, _keys, _log):
        names = accept_cosignatures(database, file.read_text(encoding="utf-8"), _now())
    print(f"Kept: {', '.join(names)}.")


@app.command("add-witness")
def add(
    verifier_key: Annotated[str, typer.Argument(metavar="KEY", help="NAME+ID+BASE64", show_default=False)],
    acting_as: _As,
    reason: Annotated[str, typer.Option(help="Why this witness; a reference.")],
) -> None:
    """Accept cosignatures of this key from now on. The act is in the log."""
    with _opened() as (database, _keys, _log):
        actor = _acting(database, acting_as)
        added = add_witness(database, verifier_key, actor=actor, reason=reason, at=_now())
    print(f"Cosignatures of {added.name} are accepted.")


@app.command("withdraw-witness")
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as bpk.go.id/saksi", show_default=False)],
    acting_as: _As,
    reason: Annotated[str, typer.Option(help="Why, such as a key that leaked; a reference.")],
) -> None:
    """Accept no cosignature of this witness any more, for good. The act is in the log.

    What it cosigned before stays cosigned. A new key of the same office needs another name.
    """
    with _opened() as (database, _keys, log):
        actor = _acting(database, acting_as)
        size = withdraw_witness(database, name, actor=actor, reason=reason, at=_now())
        left = log.ledger.witnesses()
    kept = f"those up to {size} entries stay" if size else "it never cosigned anything"
    print(f"Cosignatures of {name} are no longer accepted; {kept}.")
    if not left:
        print("Nobody cosigns the log now: whoever rules the database could roll it back unseen.")


@app.command()
def checkpoints() -> None:
    """List the newest signed checkpoints and who cosigned them."""
    with _opened() as (_database, _keys, log):
        for size, names in log.ledger.recent_heads():
            print(f"{size:>12} entries  {', '.join(names) or 'not cosigned'}")


@app.command()
def erase(
    exchange_id: _Exchange,
    order: Annotated[str, typer.Option(help="Reference of the legal order; names no person.")],
    acting_as: _As,
    payload: Annotated[
        bool, typer.Option("--payload", help="The whole text, not only by which hashes people are known.")
    ] = False,
) -> None:
    """Erase what the log says of an exchange, under an order that the log records. The hash stays."""
    with _opened() as (database, _keys, log):
        scope: erasure.Scope = "payload" if payload else "subjects"
        count = erasure.erase(
            database,
            exchange_id,
            scope=scope,
            order=order,
            actor=_acting(database, acting_as),
            at=_now(),
            integrate=log.sequencer.integrate,
        )
    print(f"{count} entries of {exchange_id}: {scope} erased under order {order}.")


@app.command()
def detach(
    month: Annotated[
        datetime,
        typer.Argument(metavar="MONTH", formats=["%Y-%m"], help="The oldest of the log.", show_default=False),
    ],
    order: Annotated[str, typer.Option(help="Reference of the rule or decision; names no person.")],
    acting_as: _As,
) -> None:
    """Take an old month out of the log's tables, under an order that the log records. Its hashes stay.

    On PostgreSQL, as the owner of the tables. What it was stays as tables of their own, to be kept elsewhere.
    """
    with _opened() as (database, _keys, log):
        taken = detaching.detach(
            database,
            month.date(),
            order=order,
            actor=_acting(database, acting_as),
            at=_now(),
            integrate=log.sequencer.integrate,
        )
    print(f"{month:%Y-%m} is detached under {order}: {', '.join(taken.tables)}.")
    print(f"The first {taken.entries} entries of the log are proven by their hashes from now on.")


def _acting(database: Database, acting_as: str) -> str:
    """How the log names whoever acts. Raises NotFound, Conflict, RoleMissing."""
    return StaffAccounts(database, _now, record_in_audit_log).on_console(acting_as, *_IN_CHARGE).actor


def _as_options(keys: Sequence[VerifierKey]) -> str:
    return " ".join(f"--key '{key}'" for key in keys)


def _fail(words: str) -> None:
    sys.stderr.write(f"gapura: {words}\n")
    raise typer.Exit(1)


@contextmanager
def _progress(words: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn(words), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
