"""Which pseudonyms a reversal can be asked for: those that have the form of a name of the sector. Pure.

Whether a name leads to anybody MUST NOT be told here: only whoever performs an approved reversal learns it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.errors import BadInput
from policies.dictionary import Text
from policies.pseudonym import sector_named_by


def refuse_other_names(sector: str, sectors: Collection[str], names: Sequence[str]) -> None:
    """Refuse what cannot be a pseudonym of `sector`, of those in `sectors`, which alone have any.

    Raises BadInput, which names places and repeats nothing that was sent.
    """
    if sector not in sectors:
        known = ", ".join(sorted(sectors))
        raise BadInput(
            Text(
                f"Sektor: diharapkan salah satu sektor yang memiliki pseudonim ({known or 'belum ada'}).",
                f"sector: expected one of the sectors that have pseudonyms ({known or 'none yet'}).",
            )
        )
    places = [str(at) for at, name in enumerate(names, 1) if sector_named_by(name) != sector]
    if places:
        told = ", ".join(places)
        raise BadInput(
            Text(
                f"Pseudonim nomor {told}: diharapkan pseudonim sektor {sector}, dalam bentuk "
                f"v1.{sector}. dan 43 karakter; salin tiap pseudonim dari jawaban Gapura.",
                f"pseudonyms, number {told}: expected pseudonyms of the sector {sector}, in the form "
                f"v1.{sector}. and 43 characters; copy each from an answer of Gapura.",
            )
        )
