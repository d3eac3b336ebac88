"""What is said to a consumer whose request a limit refuses: the reason, and what to do. Pure.

A suspicion names no pattern and no threshold: whoever has a list need not know them, and whoever counts must
not. It MUST NOT repeat anything that the caller sent.
"""

from __future__ import annotations

from gateway.limits.budget import REQUESTS, Meter, Refusal
from policies.agreement import Agreement
from policies.dictionary import Text

_UNITS = {
    "requests": Text("permintaan per menit", "requests per minute"),
    "subjects": Text("orang per hari", "people per day"),
    "people": Text("orang yang belum pernah ditanyakan per hari", "people not asked about before per day"),
}


def reason(agreement: Agreement, refusal: Refusal) -> Text:
    """Why the request does not fit, in both languages."""
    meter, cited = refusal.meter, agreement.cited
    if meter is None:
        return Text(
            f"Urutan orang yang ditanyakan hari ini menurut {cited.id} menyerupai penelusuran nomor, bukan "
            "daftar orang; permintaan yang melanjutkannya ditolak dan Pusdatin telah diberi tahu.",
            f"Those asked about today under {cited.en} look like a walk through numbers, not like a list of "
            "people; requests that continue it are refused, and Pusdatin has been told.",
        )
    unit = _UNITS[meter.unit]
    return Text(
        f"{cited.id} mengizinkan {meter.limit} {unit.id}; sisa {meter.left}, kurang dari yang diminta.",
        f"{cited.en} allows {meter.limit} {unit.en}; {meter.left} are left, fewer than this request needs.",
    )


def remedy(agreement: Agreement, refusal: Refusal) -> Text:
    """What to do about it, in both languages."""
    meter = refusal.meter
    if meter is None:
        return Text(
            "Tanyakan orang dari berkas Anda sendiri; bila memang demikian, minta Pusdatin mengizinkannya.",
            "Ask about the people of your own files; if these are, ask Pusdatin to let it through.",
        )
    number = agreement.documents.get("pks", agreement.id)
    return Text(
        f"Ulangi setelah {_span(meter).id}{_smaller(meter).id}. Bila batas ini terlalu kecil bagi tugas "
        f"Anda, ajukan addendum atas {number} kepada Pusdatin.",
        f"Try again in {_span(meter).en}{_smaller(meter).en}. If this limit is too small for your duty, ask "
        f"Pusdatin for an amendment of {number}.",
    )


def _span(meter: Meter) -> Text:
    return Text(f"{meter.resets_in_s} detik", f"{meter.resets_in_s} seconds")


def _smaller(meter: Meter) -> Text:
    """A smaller request may fit at once, where people are counted and some are left."""
    if meter.name == REQUESTS or meter.left == 0:
        return Text("", "")
    return Text(", atau kirim permintaan yang lebih kecil", ", or send a smaller request")
