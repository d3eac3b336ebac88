"""Requests that work as they stand against the demo: the tour of `gapura demo`, and the examples of OpenAPI.

One list for both, so that an example in the contract is an example that somebody has seen work. All people
are the invented personas of the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.registry.personas import persona
from policies.dictionary import Text

_PBI_JK = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}


@dataclass(frozen=True, slots=True)
class Stop:
    """One question of the tour: who asks what, and what to notice in the answer.

    A pseudonym written as `{consumer:ref}` stands for the one that an earlier answer gave. `down` is the
    outside source that is stopped while this is asked; with `until_known` it is asked again until no source
    is silent.
    """

    key: str
    title: Text
    consumer: str
    path: str
    body: Mapping[str, Any]
    moral: Text
    down: str | None = None
    until_known: bool = False


def _about(*keys: str) -> list[dict[str, str]]:
    return [{"ref": key, "nik": persona(key).nik} for key in keys]


TOUR: tuple[Stop, ...] = (
    Stop(
        "eligible",
        Text(id="Orang yang layak PBI-JK.", en="A person who is eligible for PBI-JK."),
        "bpjs-kesehatan",
        "/v1/eligibility",
        {**_PBI_JK, "subjects": _about("eligible")},
        Text(
            id="Layak: setiap klausul 'yes'. Identitasnya keluar sebagai pseudonim, bukan nama.",
            en="Eligible: every clause says yes. The identity leaves as a pseudonym, not as a name.",
        ),
    ),
    Stop(
        "ineligible",
        Text(
            id="Orang yang tidak layak, dan klausul mana.",
            en="A person who is not, and which clause says so.",
        ),
        "bpjs-kesehatan",
        "/v1/eligibility",
        {**_PBI_JK, "subjects": _about("too_well_off")},
        Text(
            id="Tidak layak: klausul yang 'no' disebut, dan kepala jawaban memuat bunyinya.",
            en="Ineligible: the clause that says no is named, and the head of the answer holds its wording.",
        ),
    ),
    Stop(
        "unknown",
        Text(
            id="Orang yang jawabannya tidak diketahui, seribu orang sekaligus bila perlu.",
            en="People whose answer is unknown, each for another reason; a thousand at once if need be.",
        ),
        "bpjs-kesehatan",
        "/v1/eligibility",
        {
            **_PBI_JK,
            "subjects": [
                *_about("not_checked", "undetermined_decile", "duplicate"),
                {"ref": "typing-error", "nik": "35780852038"},
            ],
        },
        Text(
            id="Tidak diketahui bukan 'tidak': identitas belum dipadankan, desil belum ditentukan, NIK "
            "ganda, atau nomor yang salah tulis. Satu butir yang salah tidak menggagalkan yang lain.",
            en="Unknown is not no: an identity not yet matched, a decile not determined, a NIK held by two "
            "people, a mistyped number. One bad item does not fail its siblings.",
        ),
    ),
    Stop(
        "other-consumer",
        Text(
            id="Orang pertama tadi, dilihat kementerian lain: elemen lain, pseudonim lain.",
            en="The first person as a second agency sees them: other fields, another pseudonym.",
        ),
        "bps-statistik",
        "/v1/records",
        {"purpose": "official-statistics", "subjects": _about("eligible")},
        Text(
            id="Dua sektor tidak dapat mencocokkan nama yang mereka pegang.",
            en="Two sectors cannot match the names that they hold.",
        ),
    ),
    Stop(
        "withheld",
        Text(
            id="Elemen yang ditahan, dan oleh klausul mana.",
            en="A field that is withheld, and by which clause.",
        ),
        "dinsos-jatim",
        "/v1/records",
        {
            "purpose": "regional-verification",
            "subjects": _about("pkh_member", "other_province"),
            "fields": ["decile", "registry_status", "occupation", "mother_name"],
        },
        Text(
            id="Yang ditahan menyebut klausul dan apa yang perlu diajukan. Orang di luar Jawa Timur tak "
            "terbedakan dari orang yang tidak ada.",
            en="What is withheld names the clause and what to ask for. Somebody outside East Java cannot be "
            "told from somebody who does not exist.",
        ),
    ),
    Stop(
        "by-pseudonym",
        Text(
            id="Bertanya dengan pseudonim dari jawaban pertama.",
            en="Asking by the pseudonym that the first answer gave.",
        ),
        "bpjs-kesehatan",
        "/v1/eligibility",
        {**_PBI_JK, "subjects": [{"ref": "again", "pseudonym": "{bpjs-kesehatan:eligible}"}]},
        Text(
            id="Tidak ada tabel yang menghubungkan pseudonim dengan orang: kuncilah yang membukanya.",
            en="No table links pseudonyms to people: the key opens them.",
        ),
    ),
    Stop(
        "live",
        Text(
            id="Pemadanan langsung: Dukcapil dan BPJS ditanya saat itu juga.",
            en="A live check: Dukcapil and BPJS are asked at this moment.",
        ),
        "dinsos-jatim",
        "/v1/records",
        {"purpose": "identity-check", "subjects": _about("eligible")},
        Text(
            id="Dukcapil membandingkan; yang keluar hanya hasil dan status, bukan elemen.",
            en="Dukcapil compares; verdicts and states leave, no element of its data.",
        ),
    ),
    Stop(
        "outage",
        Text(
            id="Dukcapil padam. Pertanyaan yang sama, dan satu orang yang belum pernah ditanyakan.",
            en="Dukcapil is down. The same question, and one person never asked about before.",
        ),
        "dinsos-jatim",
        "/v1/records",
        {"purpose": "identity-check", "subjects": _about("eligible", "too_well_off")},
        Text(
            id="Jawaban lama boleh mewakili bila perjanjian mengizinkannya, dan ditandai; selebihnya tidak "
            "diketahui. BPJS tetap menjawab.",
            en="An earlier answer may stand in where the agreement allows its age, and is marked as such; "
            "the rest is unknown. BPJS still answers.",
        ),
        down="dukcapil",
    ),
    Stop(
        "recovery",
        Text(id="Dukcapil kembali.", en="Dukcapil is back."),
        "dinsos-jatim",
        "/v1/records",
        {"purpose": "identity-check", "subjects": _about("eligible", "too_well_off")},
        Text(
            id="Gateway menemukannya sendiri; tidak ada yang perlu dinyalakan ulang.",
            en="The gateway finds out by itself; nothing had to be restarted.",
        ),
        until_known=True,
    ),
    Stop(
        "refused",
        Text(id="Tujuan yang tidak dicakup perjanjian.", en="A purpose that no agreement covers."),
        "bpjs-kesehatan",
        "/v1/records",
        {"purpose": "marketing", "subjects": _about("eligible")},
        Text(
            id="Penolakan punya kode tetap, alasan, dan jalan keluarnya; ia pun tercatat.",
            en="A refusal has a stable code, a reason and a remedy; it is on record as well.",
        ),
    ),
)


def _examples(path: str) -> dict[str, Any]:
    return {
        stop.key: {"summary": f"{stop.title.en} (as {stop.consumer})", "value": stop.body}
        for stop in TOUR
        # A pseudonym exists only after an answer, and the same question is one example.
        if stop.path == path and stop.key not in {"by-pseudonym", "outage", "recovery"}
    }


REQUEST_EXAMPLES = {"eligibility": _examples("/v1/eligibility"), "records": _examples("/v1/records")}
