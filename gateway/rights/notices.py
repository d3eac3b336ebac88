"""The notices of UU 27/2022 art. 46, with the facts filled in: to the people concerned and to the authority.

Art. 46 (2) asks for three things: which personal data, when and how, and what is done about it. The first two
stand in the log as far as a gateway can know them; how it came about and what is done are for people to say,
and where they have not said it yet the notice shows the gap. A notice MUST NOT name a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.rights.exposure import Exposure
from gateway.rights.incidents import Incident
from gateway.rights.wording import field_label, in_form, moment
from policies.dictionary import Field

_GAP = "[HARUS DIISI: {what}]"


@dataclass(frozen=True, slots=True)
class Account:
    """What only people can say: how it came about, what is done, whom to ask. None while it is not known."""

    how: str | None = None
    handling: str | None = None
    contact: str | None = None


def notice_to_people(
    incident: Incident, exposure: Exposure, consumer: str, dictionary: Mapping[str, Field], account: Account
) -> str:
    """The letter to each person concerned, in Indonesian."""
    return f"""PEMBERITAHUAN KEGAGALAN PELINDUNGAN DATA PRIBADI
(Undang-Undang Nomor 27 Tahun 2022 tentang Pelindungan Data Pribadi, Pasal 46)

Kepada Bapak/Ibu yang datanya tercatat dalam registri kesejahteraan sosial.

Kami memberitahukan bahwa telah terjadi, atau patut diduga telah terjadi, kegagalan pelindungan atas data
pribadi Bapak/Ibu.

1. Data pribadi yang terungkap
{_fields(exposure, dictionary, with_counts=False)}
2. Kapan dan bagaimana
   Data tersebut diberikan kepada {consumer} antara {moment(incident.first)} dan {moment(incident.last)}.
   Hal ini kami ketahui pada {moment(incident.known_at)}.
   {account.how or _GAP.format(what="bagaimana data pribadi terungkap")}
3. Upaya penanganan dan pemulihan
   {account.handling or _GAP.format(what="upaya penanganan dan pemulihan")}

Bapak/Ibu berhak mengetahui siapa saja yang pernah meminta data Bapak/Ibu, meminta salinannya, dan mengajukan
keberatan atau gugatan (Pasal 5 sampai dengan Pasal 13).
Pertanyaan dan pengaduan: {account.contact or _GAP.format(what="nama unit, alamat, telepon")}
"""


def notice_to_authority(
    incident: Incident, exposure: Exposure, consumer: str, dictionary: Mapping[str, Field], account: Account
) -> str:
    """The report to the authority of UU 27/2022 art. 58, in Indonesian."""
    erased = ""
    if exposure.erased:
        erased = f"   Catatan {exposure.erased} pertukaran telah dihapus atas perintah dan tidak terhitung.\n"
    return f"""LAPORAN KEGAGALAN PELINDUNGAN DATA PRIBADI
(Undang-Undang Nomor 27 Tahun 2022, Pasal 46; batas waktu 3 x 24 jam)

Nomor insiden            : {incident.id}
Pengendali data pribadi  : Kementerian Sosial, Pusat Data dan Informasi Kesejahteraan Sosial
Penerima data            : {consumer} ({incident.consumer_id})
Diketahui pada           : {moment(incident.known_at)}
Batas pemberitahuan      : {moment(incident.tell_by)}

1. Data pribadi yang terungkap
   Jumlah orang yang terdampak: {exposure.people_count}
{_fields(exposure, dictionary, with_counts=True)}{erased}
2. Kapan dan bagaimana
   Dari {moment(incident.first)} sampai sebelum {moment(incident.last)};
   {exposure.exchanges} pertukaran.
   {account.how or _GAP.format(what="bagaimana data pribadi terungkap")}
3. Upaya penanganan dan pemulihan
   {account.handling or _GAP.format(what="upaya penanganan dan pemulihan")}

4. Masyarakat
   Diberi tahu juga bila pelayanan publik atau kepentingan masyarakat terdampak (Pasal 46).

Narahubung: {account.contact or _GAP.format(what="nama unit, alamat, telepon")}
Jumlah di atas dihitung dari log audit bertanda tangan; bukti setiap pertukaran tersedia.
"""


def _fields(exposure: Exposure, dictionary: Mapping[str, Field], *, with_counts: bool) -> str:
    def counted(count: int) -> str:
        return f" ({count} orang)" if with_counts else ""

    told = [
        f"   - {in_form(field_label(name, dictionary), form).id}{counted(count)}"
        for name, forms in sorted(exposure.forms.items())
        for form, count in sorted(forms.items())
    ]
    told += [
        f"   - keputusan kelayakan {programme}{counted(count)}"
        for programme, count in sorted(exposure.decisions.items())
    ]
    # Without counts, two widths of one mask read the same.
    return "\n".join(list(dict.fromkeys(told)) or ["   - tidak ada elemen data yang diberikan"]) + "\n"
