"""`gapura audit witness` and `witness-key`: run by another party, which knows the gateway by its URL."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer

from gateway.audit.proofs import Unproven, VerifierKey
from gateway.audit.signing import NoteKey, witness_key
from gateway.audit.witness import Witness
from gateway.errors import Conflict, FileUnusable

_SEED_BYTES = 32
_TIMEOUT_S = 30
_KeyFile = Annotated[
    Path, typer.Argument(metavar="KEYFILE", help="The witness's private key.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Put the witness's commands among those of the log."""
    app.command("witness-key")(make_key)
    app.command("witness")(witness)


def make_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as bpk.go.id/saksi", show_default=False)],
    file: _KeyFile,
) -> None:
    """Make a witness's key pair; prints the public key, which the log's operator adds."""
    if set(name) & set(" +\n") or not name:
        raise FileUnusable("A witness's name has no space and no plus sign.")
    seed = secrets.token_bytes(_SEED_BYTES)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{file} is there already; a key is never overwritten.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(f"{name} {seed.hex()}\n")
    print(witness_key(name, seed).verifier)


def witness(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of the gateway.", show_default=False)],
    file: _KeyFile,
    key: Annotated[
        list[str],
        typer.Option(help="The log's public key, from its operator; repeat it to take a new one beside it."),
    ],
    state: Annotated[Path, typer.Option(help="File that remembers the last cosigned checkpoint.")],
    output: Annotated[Path | None, typer.Option(help="Write the note here instead of handing it in.")] = None,
) -> None:
    """Check that the log continues what was seen before, cosign its newest checkpoint, hand it in.

    Exit code 1 and no signature when it does not: the state file and the new checkpoint are then the proof.
    """
    prefix = url.rstrip("/") + "/log/"
    with httpx.Client(timeout=_TIMEOUT_S, base_url=prefix) as http:

        def fetch(path: str) -> bytes:
            return http.get(path).raise_for_status().content

        try:
            party = Witness([VerifierKey.parse(text) for text in key], _read_key(file), state)
            checkpoint, note = party.cosign(fetch, datetime.now(UTC))
            if output is not None:
                output.write_text(note, encoding="utf-8")
            else:
                http.post("cosignatures", content=note.encode()).raise_for_status()
        except Unproven as problem:
            sys.stderr.write(f"gapura: not cosigned: {problem}\n")
            raise typer.Exit(1) from None
        except httpx.HTTPStatusError as error:
            told = f"the log answers {error.response.status_code}; nothing was handed in"
            with suppress(ValueError):  # no JSON: something else than a gateway answers there
                told += f": {error.response.json().get('detail', '')}"
            sys.stderr.write(f"gapura: {told}\n")
            raise typer.Exit(1) from None
    print(f"Cosigned {checkpoint.size} entries of {checkpoint.origin}.")


def _read_key(file: Path) -> NoteKey:
    try:
        name, seed = file.read_text(encoding="utf-8").split()
        return witness_key(name, bytes.fromhex(seed))
    except (OSError, ValueError):
        raise FileUnusable(f"{file} is no witness's key: `gapura audit witness-key` makes one.") from None
