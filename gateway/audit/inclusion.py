"""Checks now that an entry stands in the signed log, as any auditor would: with the log's public keys alone.

The checking is `gateway.audit.proofs`, the same lines that stand in the verifier. It MUST NOT tell an entry
to anybody: who may see one is for the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.audit.ledger import Ledger, Standing
from gateway.audit.proofs import Checkpoint, Unproven, VerifierKey


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a check came to. `problem` says what is not proven, in words; None where everything is.

    The entry is leaf `index` of the signed tree of `size` entries, whose root the `path` hashes led to.
    `signed_by` are keys of the log, `cosigned_by` witnesses; both were checked. Where the entry waits for its
    place, or was erased, there is no more than that to tell.
    """

    index: int | None
    sha256: str | None
    waits: bool = False
    erased: bool = False
    problem: str | None = None
    size: int | None = None
    root: str | None = None
    path: int | None = None
    signed_by: tuple[str, ...] = ()
    cosigned_by: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether the entry is in the signed tree."""
        return self.size is not None and self.problem is None


def check_standing(ledger: Ledger, keys: Sequence[VerifierKey], standing: Standing) -> Inclusion:
    """Check an entry under the best signed checkpoint that covers it. Blocks; raises StoreUnavailable."""
    index, stored = standing.leaf_index, standing.sha256
    if index is None or stored is None:
        return Inclusion(None, None, waits=True)
    erased = standing.text is None
    # Of an erased entry the hash is left, which the tree holds; of any other the text itself must give it.
    digest = stored if standing.text is None else hashlib.sha256(standing.text.encode()).digest()
    proof = ledger.proof(index)
    if proof is None:
        return Inclusion(index, digest.hex(), waits=True, erased=erased)
    try:
        checkpoint = proof.check(digest, *keys)
    except Unproven as problem:
        return Inclusion(index, digest.hex(), erased=erased, problem=str(problem))
    return Inclusion(
        index,
        digest.hex(),
        erased=erased,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        path=len(proof.hashes),
        signed_by=_signers(checkpoint, keys),
        cosigned_by=_cosigners(checkpoint, ledger),
    )


def _signers(checkpoint: Checkpoint, keys: Sequence[VerifierKey]) -> tuple[str, ...]:
    return tuple(str(key) for key in keys if checkpoint.signed_by(key))


def _cosigners(checkpoint: Checkpoint, ledger: Ledger) -> tuple[str, ...]:
    """Who cosigned it, those also who were withdrawn since: what the ledger holds came before that."""
    ever = [*ledger.witnesses(), *(one.key for one in ledger.withdrawn_witnesses())]
    return tuple(sorted(key.name for key in ever if checkpoint.signed_by(key)))
