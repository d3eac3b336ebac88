"""One file that proves one exchange, years later, without the gateway.

It holds what the log says, in whose words, and how that is proven. It MUST NOT hold a value of a person, or
the hashes by which the log knows people; and it says in words what it does not prove.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from gateway.audit.entry import exchange_salt
from gateway.audit.transparency import TransparentLog
from gateway.errors import Conflict, NotFound

_SAYS = {
    "id": {
        "terbukti": [
            "Catatan tentang pertukaran ini ada dalam log audit bertanda tangan, pada nomor tersebut.",
            "Catatan itu tidak dapat diubah, dihapus, atau dipindahkan tanpa ketahuan.",
            "Teks perjanjian adalah teks versi yang berlaku saat itu; SHA-256-nya ada dalam catatan.",
            "Pemegang permintaan atau jawaban asli dapat membuktikan, dengan `salt`, itulah yang dicatat.",
            "Saksi yang ikut menandatangani tidak pernah melihat riwayat log yang lain.",
        ],
        "tidak_terbukti": [
            "Bahwa isi registri saat itu benar: log mencatat apa yang dijawab, bukan kebenarannya.",
            "Waktu yang tepat, selain menurut jam gateway dan jam para saksi.",
            "Siapa manusia yang duduk di balik klien konsumen.",
            "Tanpa tanda tangan saksi: bahwa pihak lain diperlihatkan log yang sama.",
        ],
    },
    "en": {
        "proven": [
            "The entry about this exchange is in the signed audit log, at the number named.",
            "It cannot be changed, removed or moved without notice.",
            "The agreement's text is that of the version in force then; its SHA-256 is in the entry.",
            "The holder of the original request or answer can prove that it is the one logged, with `salt`.",
            "A witness that cosigned has never seen another history of the log.",
        ],
        "not_proven": [
            "That the registry was right: the log records what was answered, not whether it was true.",
            "The exact time, but by the clocks of the gateway and of the witnesses.",
            "Which human being sat behind the consumer's client.",
            "Without cosignatures: that others were shown the same log.",
        ],
    },
}


def bundle(
    log: TransparentLog,
    audit_key: bytes,
    exchange_id: UUID,
    identity: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    """The bundle of one exchange.

    `identity` tells what is known of a consumer by its id.

    Raises NotFound where there is no such exchange or its entry was erased, Conflict while no checkpoint
    covers it.
    """
    standing = log.ledger.find(exchange_id)
    if standing is None or standing.text is None or standing.consumer_id is None:
        raise NotFound(f"The log has no entry of an exchange {exchange_id}, or it was erased under an order.")
    proof = None if standing.leaf_index is None else log.ledger.proof(standing.leaf_index)
    if proof is None:
        raise Conflict(
            "No signed checkpoint covers the entry yet: it comes within seconds while the gateway runs.",
            code="not_yet_integrated",
        )
    entry = json.loads(standing.text)
    agreement = entry.get("agreement")
    return {
        "gapura_bundle": 1,
        "log": log.origin,
        "key": str(log.key.verifier),
        "receipt_keys": [log.receipts.jwk],
        "witnesses": [str(witness) for witness in log.ledger.witnesses()],
        "says": _SAYS,
        "consumer": identity(standing.consumer_id),
        "agreement": agreement and {**agreement, "text": log.ledger.document(agreement["sha256"])},
        "fields": entry.get("fields", {}),
        "entry": standing.text,
        "salt": exchange_salt(audit_key, exchange_id).hex(),
        "proof": str(proof),
    }
