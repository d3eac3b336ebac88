"""Names without their spelling: the sound-alike parts of a name, and what each part tells. Pure Ibis.

Indonesian names have no fixed parts: Muhammad is written in ten ways, Soeharto and Suharto are one name,
parts swap places and fall away, titles come and go. So a name becomes a set of parts by their sound, each
with the information that it carries among these very people: a rare part says more. MUST NOT touch an
engine, and MUST NOT hold anything learned from a person: it is all rules of spelling.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

# In order. Old spelling (until 1972) and the slips of a clerk's ear come down to one letter.
_SOUNDS = (
    *(("OE", "U"), ("DJ", "J"), ("TJ", "C"), ("SJ", "S"), ("NJ", "N"), ("CH", "H"), ("KH", "H")),
    *(("SY", "S"), ("SH", "S"), ("TH", "T"), ("DH", "D"), ("PH", "P"), ("GH", "G"), ("DZ", "Z")),
    *(("Z", "J"), ("V", "P"), ("F", "P"), ("Q", "K"), ("CK", "K"), ("X", "KS"), ("NY", "N")),
    *(("J", "I"), ("Y", "I"), ("IE", "I"), ("II", "I"), ("AA", "A"), ("UU", "U"), ("EE", "E"), ("OO", "O")),
    *((2 * letter, letter) for letter in "BCDGHKLMNPRSTW"),
)
_TITLES = (
    *("H", "HJ", "HAJI", "HAJJAH", "KH", "KYAI", "KIAI", "USTADZ", "USTAZ", "USTAD", "USTADZAH", "DR", "DRS"),
    *("DRA", "IR", "PROF", "SE", "SH", "ST", "PD", "SPD", "ALM", "ALMH", "ALMARHUM", "ALMARHUMAH", "BPK"),
    *(
        "BAPAK",
        "IBU",
        "BU",
        "PAK",
        "NY",
        "NYONYA",
        "TN",
        "TUAN",
        "SDR",
        "SDRI",
        "BIN",
        "BINTI",
        "BT",
        "KANDUNG",
    ),
)
# Written where a mother should be, by those who did not know her.
_PLACEHOLDERS = (
    *("NN", "X", "XX", "XXX", "TIDAK", "DIKETAHUI", "TAHU", "ADA", "BELUM", "MAMAK", "MAMA", "EMAK"),
    *("FULAN", "FULANAH", "KOSONG", "NULL", "NONE", "TEST"),
)
_MUHAMMAD = "^(M|MD|MH|MHD|MOH|MUH|MOHD|MUHD|MOCH|MUCH|M[OU]C?H?A?M+[AE][DT])$"
_MOST_BITS = 30
# More sounds than any register has.
PER_BIT = 1 << 32
_MARKS = ".,'`\u2019-_/\\\"()0123456789;:*"


def name_parts(names: ir.Table) -> ir.Table:
    """One row per distinct name `written` that says anything, from one row (`written`) per bearer.

    `parts`: each part once, as a number: its bits times `PER_BIT`, and which sound it is among these names.
    Bits are the binary logarithm of how few of all these bearers have it. `sounds`: the sounds in
    alphabetical order, as one text. `rarest`: the part that tells most. `bits`: what all parts tell together.
    """
    borne = names.group_by("written").agg(bearers=names.count())
    words = borne.select("written", "bearers", word=_plain(borne.written).split(" ").unnest())
    known = words.select("word").distinct()
    known = known.select("word", sound=_sound_of(known.word))
    known = known.filter(known.sound.notnull())
    spoken = words.join(known, "word").select("written", "bearers", "sound").distinct()
    heard = spoken.group_by("sound").agg(bearers=spoken.bearers.sum())
    bits = (names.count().as_scalar() / heard.bearers).log2().round().cast("int32").clip(0, _MOST_BITS)
    number = ibis.row_number().over(order_by=heard.sound)
    heard = heard.select("sound", bits=bits, part=bits.cast("int64") * PER_BIT + number)
    told = spoken.join(heard, "sound")
    gathered = told.group_by("written").agg(
        parts=told.part.collect(),
        sounds=told.sound.collect(),
        rarest=told.part.max(),
        bits=told.bits.sum(),
    )
    return gathered.mutate(sounds=gathered.sounds.sort().join(" "))


def _plain(written: ir.StringValue) -> ir.StringValue:
    """The name in capitals without what follows a comma or stands in brackets, blanks for all else."""
    marked = written.contains(",") | written.contains("(")
    bare = marked.ifelse(written.re_replace(r",.*|\(.*\)", ""), written)
    return bare.upper().translate(_MARKS, " " * len(_MARKS))


def sound(word: ir.StringValue) -> ir.StringValue:
    """A word in capitals by its sound: what is spelt differently and spoken alike becomes one."""
    for written, spoken in _SOUNDS:
        word = word.replace(written, spoken)
    return word.re_replace("H$", "")


def _sound_of(word: ir.StringColumn) -> ir.StringValue:
    """The sound of one part; null for a title, a placeholder and a lone initial."""
    return ibis.cases(
        (word.re_search(_MUHAMMAD), "MUHAMAD"),
        (word.isin((*_TITLES, *_PLACEHOLDERS)) | (word.length() < 2), ibis.null("string")),  # noqa: PLR2004
        else_=sound(word),
    )
