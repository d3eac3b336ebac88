"""One file that proves one exchange or one administrative act, years later, without the gateway.

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

_OF_EXCHANGE = {
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


_OF_ACT = {
    "id": {
        "terbukti": [
            "Catatan tentang tindakan petugas ini ada dalam log audit bertanda tangan, pada nomor tersebut.",
            "Catatan itu tidak dapat diubah, dihapus, atau dipindahkan tanpa ketahuan.",
            "Catatan menyebut akun yang bertindak, tindakannya, objeknya, waktunya, dan alasan yang ditulis.",
            "Bila catatan memuat SHA-256 suatu teks, teks itulah yang ditindak.",
            "Saksi yang ikut menandatangani tidak pernah melihat riwayat log yang lain.",
        ],
        "tidak_terbukti": [
            "Siapa manusia yang memakai akun itu; dari tindakan pada mesin, hanya bahwa dilakukan di sana.",
            "Bahwa alasan yang ditulis itu benar.",
            "Waktu yang tepat, selain menurut jam gateway dan jam para saksi.",
            "Tanpa tanda tangan saksi: bahwa pihak lain diperlihatkan log yang sama.",
        ],
    },
    "en": {
        "proven": [
            "The entry about this administrative act is in the signed audit log, at the number named.",
            "It cannot be changed, removed or moved without notice.",
            "It names the account that acted, the act, its object, the time, and the reason as written.",
            "Where it holds the SHA-256 of a text, that text is what was acted upon.",
            "A witness that cosigned has never seen another history of the log.",
        ],
        "not_proven": [
            "Which human being used the account; of an act on the machine, only that it was done there.",
            "That the reason written is true.",
            "The exact time, but by the clocks of the gateway and of the witnesses.",
            "Without cosignatures: that others were shown the same log.",
        ],
    },
}
_ACT = "act"


def bundle(
    log: TransparentLog,
    audit_key: bytes,
    reference: UUID,
    identity: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    """The bundle of one exchange, by its id, or of one administrative act, by its reference.

    `identity` tells what is known of a consumer by its id. The bundle of an act has no consumer, no agreement
    and no salt.

    Raises NotFound where there is no such entry or it was erased, Conflict while no checkpoint covers it.
    """
    standing = log.ledger.find(reference) or log.ledger.find(reference, _ACT)
    if standing is None:
        raise NotFound(f"The log has no entry of an exchange or an act {reference}.")
    if standing.text is None:
        raise NotFound(f"The entry of {reference} was erased under an order: only its hash is left.")
    proof = None if standing.leaf_index is None else log.ledger.proof(standing.leaf_index)
    if proof is None:
        raise Conflict(
            "No signed checkpoint covers the entry yet: it comes within seconds while the gateway runs.",
            code="not_yet_integrated",
        )
    entry = json.loads(standing.text)
    agreement, consumer_id = entry.get("agreement"), standing.consumer_id
    told = {
        "gapura_bundle": 1,
        "log": log.origin,
        "keys": [str(key) for key in log.keyring.verifiers()],
        "receipt_keys": log.keyring.jwks("receipts"),
        "witnesses": [str(witness) for witness in log.ledger.witnesses()],
        "withdrawn_witnesses": [
            {"key": str(one.key), "withdrawn_at": one.withdrawn_at.isoformat()}
            for one in log.ledger.withdrawn_witnesses()
        ],
        "says": _OF_ACT if consumer_id is None else _OF_EXCHANGE,
        "consumer": None if consumer_id is None else identity(consumer_id),
        "agreement": agreement and {**agreement, "text": log.ledger.document(agreement["sha256"])},
        "fields": entry.get("fields", {}),
        "entry": standing.text,
        "proof": str(proof),
    }
    return told if consumer_id is None else {**told, "salt": exchange_salt(audit_key, reference).hex()}
