"""The words of problems that do not depend on the case: titles, what to do, and sentences by code. Pure.

A problem is told in one language, never in two. Where an error brings its sentence in both languages, nothing
is needed here; where it has only an English one, its code may stand in IN_INDONESIAN, if it always means the
same.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.dictionary import Text

TITLES: Mapping[int, Text] = {
    400: Text(id="Permintaan tidak dapat dipakai", en="The request cannot be used"),
    401: Text(id="Pemanggil tidak dikenali", en="The caller could not be established"),
    403: Text(id="Tidak dicakup perjanjian", en="Not covered by the agreement"),
    404: Text(id="Tidak ada", en="There is no such thing"),
    405: Text(id="Metode tidak tersedia", en="The method is not available here"),
    409: Text(id="Bertentangan dengan keadaan sekarang", en="In conflict with the present state"),
    413: Text(id="Permintaan terlalu besar", en="The request is too large"),
    415: Text(id="Jenis isi tidak didukung", en="The content type is not supported"),
    422: Text(id="Bentuk permintaan salah", en="The request is malformed"),
    428: Text(id="Syarat pendahuluan tidak disebut", en="The precondition is missing"),
    429: Text(id="Batas perjanjian tercapai", en="A limit of the agreement is reached"),
    500: Text(id="Kesalahan yang tidak terduga", en="An unforeseen error"),
    503: Text(id="Untuk sementara tidak tersedia", en="Temporarily unavailable"),
}
NOT_PERMITTED = Text(id="Tidak diizinkan bagi petugas ini", en="Not permitted to this staff member")

# What to do, where an error does not bring its own remedy.
REMEDIES: Mapping[int, Text] = {
    400: Text(
        "Perbaiki nilai yang disebut, lalu kirim lagi.", "Mend the values that are named, then send it again."
    ),
    401: Text(
        "Mintalah token baru, atau masuk kembali; /docs menjelaskan caranya.",
        "Get a new token, or sign in again; /docs tells how.",
    ),
    403: Text(
        "Mintalah kepada orang atau instansi yang berwenang.", "Ask somebody who may, or for the permission."
    ),
    404: Text("Periksa alamat dan pengenalnya.", "Check the path and the id in it."),
    405: Text(
        "Gunakan metode yang disebut dalam kontrak, /openapi.json.",
        "Use a method that the contract names, /openapi.json.",
    ),
    409: Text("Baca keadaan sekarang, lalu putuskan kembali.", "Read the present state, then decide again."),
    413: Text("Bagi menjadi beberapa permintaan.", "Send several smaller requests."),
    415: Text("Kirim `Content-Type: application/json`.", "Send it with `Content-Type: application/json`."),
    422: Text(
        "Perbaiki tempat-tempat dalam `errors`; kontraknya /openapi.json.",
        "Mend the places in `errors`; the contract is /openapi.json.",
    ),
    428: Text(
        "Baca dahulu, lalu kirim ETag-nya sebagai If-Match.", "Read it first, send its ETag as If-Match."
    ),
    429: Text("Ulangi setelah waktu dalam Retry-After.", "Try again after the time that Retry-After names."),
    500: Text(
        "Sampaikan nomor permintaannya kepada Pusdatin.", "Tell Pusdatin the request's id when you ask."
    ),
    503: Text(
        "Ulangi tanpa perubahan setelah waktu dalam Retry-After.",
        "Try again, unchanged, after the time that Retry-After names.",
    ),
}

# Where a code asks for something else than its status does.
REMEDIES_BY_CODE: Mapping[str, Text] = {
    "not_yet_integrated": REMEDIES[503],
    "maintenance": Text(
        "Ulangi tanpa perubahan setelah waktu dalam `Retry-After`; `until` adalah rencananya.",
        "Try again, unchanged, after the time that `Retry-After` names; `until` is what is planned.",
    ),
    "idempotency_key_invalid": Text(
        'Kirim satu string dalam tanda petik, seperti Idempotency-Key: "8e03978e-40d5-43dd-bc93".',
        'Send one string in quotes, such as Idempotency-Key: "8e03978e-40d5-43dd-bc93".',
    ),
    "idempotency_key_reused": Text(
        "Pakai kunci baru untuk permintaan baru; ulangi permintaan lama tanpa perubahan.",
        "Use a new key for a new request; repeat an old request as it was.",
    ),
    "idempotency_key_in_use": Text(
        "Ulangi sebentar lagi. Bila tetap demikian, baca keadaan sekarang sebelum memakai kunci baru.",
        "Try again in a moment. If it stays so, read the present state before you use a new key.",
    ),
    "other_pseudonyms": Text(
        "Masukkan pseudonim yang sama seperti saat diminta, dengan urutan yang sama, lalu kirim lagi.",
        "Bring the same pseudonyms as were asked for, in the same order, and send them again.",
    ),
    "text_unusable": Text(
        "Kirim teks itu tanpa bita nol (U+0000).",
        "Send the text without the zero byte (U+0000) in it.",
    ),
    "invalid_signature": Text(
        "Tanda tangani permintaan menurut RFC 9421 dengan kunci Anda yang terdaftar; lihat README.",
        "Sign the request by RFC 9421 with a registered key of yours; the README names what that covers.",
    ),
}

# The Indonesian sentence of a code that means the same wherever it arises.
IN_INDONESIAN: Mapping[str, str] = {
    "not_yet_integrated": "Entrinya tercatat dan menunggu checkpoint bertanda tangan berikutnya.",
    "unauthenticated": "Permintaan ini memerlukan token akses dan bukti DPoP.",
    "use_dpop_nonce": "Bukti DPoP memerlukan nonce dari header DPoP-Nonce jawaban ini.",
    "insufficient_scope": "Token ini tidak diterbitkan untuk operasi ini.",
    "not_signed_in": "Tidak ada yang masuk, atau sesinya telah berakhir: masuk di POST /admin/v1/session.",
    "csrf_token_missing": "Diharapkan header X-CSRF-Token dengan csrf_token dari GET /admin/v1/session.",
    "text_unusable": "Suatu teks memuat bita nol; tidak ada yang diubah.",
    "body_too_large": "Isi permintaan melampaui batas yang ditetapkan operator.",
    "audit_unavailable": "Bukti tidak dapat ditulis, maka tidak ada yang dijawab.",
    "source_unavailable": "Suatu sumber tidak menjawab; perjanjian menolak seluruh permintaan bila demikian.",
    "store_unavailable": "Basis data tidak dapat dicapai.",
    "sign_in_busy": "Terlalu banyak orang masuk sekaligus.",
}
