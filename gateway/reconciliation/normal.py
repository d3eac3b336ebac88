"""Texts of two registers in one form, so that what people write differently compares equal. Pure Ibis.

Every function makes an expression and runs none. MUST use only what DuckDB and Spark translate alike: letters
become ASCII before anything asks for their case, no pattern looks around itself, and no class of characters
is left to the engine: blanks and digits are not the same sets in both, and the end of a text may be that of a
line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import ibis
from ibis.expr import types as ir

NIK_DIGITS = 16
# Neither form feed nor vertical tab, here and below: Spark reads their escapes as the letters f and v. That
# is also why nothing is stripped by the function of that name.
_AROUND = "^ +| +$"
_BLANKS = "[ \t\n\r\u00a0\u200b\ufeff]+"
# What people and spreadsheets put between or before the digits of a NIK. A point is none of them: 15 digits
# that became a number end in ".0", and would be 16 again.
_SEPARATORS = "[ \t\n\r\u00a0\u200b\ufeff'`\u2019-]+"

_ACCENTED = {
    "A": "ÀÁÂÃÄÅĀĂàáâãäåāă",
    "C": "ÇĆČçćč",
    "D": "ḌĎḍď",
    "E": "ÈÉÊËĒĔèéêëēĕ",
    "G": "ĞĠğġ",
    "H": "ḤḪḥḫ",
    "I": "ÌÍÎÏĪĬİìíîïīĭı",
    "N": "ÑŃñń",
    "O": "ÒÓÔÕÖŌŎòóôõöōŏ",
    "S": "ŚŞŠṢśşšṣ",
    "T": "ṬṭŢţ",
    "U": "ÙÚÛÜŪŬùúûüūŭ",
    "Y": "ÝŸýÿ",
    "Z": "ŹŻŽẒźżžẓ",
}
# Apostrophes of all kinds, and accents that stand as characters of their own: they divide no word.
_DROPPED = "\u00b4\u2018\u2019\u02bb\u02bc\u02be\u02bf\u0300\u0301\u0302\u0303\u0304\u0306\u0308\u0323\u0327"
_UNACCENTED = (
    "".join(_ACCENTED.values()) + _DROPPED,
    "".join(letter * len(kinds) for letter, kinds in _ACCENTED.items()),
)
_NOT_ASCII = "[^\t\n\r -~]"
_UNTIDY = "[^ -~]|  |^ | $"
_UNFOLDED = "[^A-Z ]|  |^ | $"

_HONORIFICS = (
    *("H", "HJ", "HAJI", "HAJJAH", "KH", "KHJ", "TGK", "TGH", "UST", "USTAD", "USTADZ", "USTADZAH", "GUS"),
    *("DR", "DRG", "DRH", "DRS", "DRA", "IR", "PROF", "NS", "APT", "R", "RR", "RA", "RD", "RM", "RADEN"),
    *(
        "NYAI",
        "ALM",
        "ALMH",
        "ALMARHUM",
        "ALMARHUMAH",
        "BAPAK",
        "BPK",
        "IBU",
        "NY",
        "TN",
        "NN",
        "SDR",
        "SDRI",
    ),
)
# After the name; the letters of a degree may stand apart, as "S.Pd.I" does once its points are gone.
_DEGREES = (
    *("S ?PD(?: ?I)?", "S ?E(?: ?I)?", "S ?H(?: ?I)?", "S ?SOS(?: ?I)?", "S ?T", "S ?KOM", "S ?KM", "S ?KEP"),
    *(
        "S ?AG",
        "S ?IP",
        "S ?SI",
        "S ?P",
        "S ?PT",
        "S ?PI",
        "S ?FARM",
        "S ?PSI",
        "S ?HUT",
        "S ?KED",
        "S ?IKOM",
    ),
    *("S ?AK", "S ?GZ", "S ?SN", "S ?ST", "S ?TP", "S ?TH", "S ?HUM", "S ?TR ?(?:KEB|KEP|T)", "S ?KEB"),
    *("A ?MD(?: ?(?:KEB|KEP|AK|KOM|T))?", "A ?MA(?: ?PD)?", "B ?A", "B ?SC", "L ?C", "N ?S", "APT", "PH ?D"),
    *(
        "M ?PD(?: ?I)?",
        "M ?SI",
        "M ?M",
        "M ?H",
        "M ?T",
        "M ?KOM",
        "M ?KES",
        "M ?AG",
        "M ?A",
        "M ?E",
        "M ?HUM",
    ),
    *("M ?SC", "M ?AK", "M ?AP", "M ?KN", "M ?KEP", "ALM", "ALMH", "ALMARHUM", "ALMARHUMAH"),
)
_KINSHIP = ("BIN", "BINTI", "BINTE", "B", "BT")
# Whole words that people shorten, as patterns -> the word.
_SHORTENED = (
    ("M(?:[OU](?:CH|KH|H)(?:AM{1,2}[AE][DT])?|[OU]?HD|D)?", "MUHAMAD"),
    ("ABD", "ABDUL"),
    ("ST|STI", "SITI"),
)
# Old and Arabic spellings, and letters that sound alike -> what they become, in this order.
_SPELLINGS = (
    *(("DJ", "J"), ("TJ", "C"), ("NJ", "NY"), ("SJ", "SY"), ("OE", "U"), ("KH", "H"), ("CH", "H")),
    *(("PH", "P"), ("DH", "D"), ("TH", "T"), ("SH", "S"), ("SY", "S"), ("X", "KS")),
    *(("F", "P"), ("V", "P"), ("Q", "K"), ("Z", "S"), ("Y", "I")),
)
_DOUBLED = "ABCDEGHIJKLMNOPRSTU"
_PLACE_WORDS = (
    "KOTA",
    "KOTAMADYA",
    "KODYA",
    "KABUPATEN",
    "KAB",
    "KECAMATAN",
    "KEC",
    "DESA",
    "KELURAHAN",
    "KEL",
)

# What stands where a name should, in words; a text without any letter is as good as none.
PLACEHOLDERS = (
    *("TIDAK ADA", "TDK ADA", "TIDAK TAHU", "TDK TAHU", "TIDAK DIKETAHUI", "TDK DIKETAHUI", "TIDAK ADA DATA"),
    *(
        "TIDAK TERCATAT",
        "TANPA NAMA",
        "BELUM ADA",
        "BELUM DIISI",
        "NIHIL",
        "KOSONG",
        "NN",
        "N N",
        "NA",
        "N A",
    ),
    *("NULL", "NONE", "NAMA IBU", "IBU", "IBU KANDUNG", "ANONIM", "TA", "T A", "X", "XX", "XXX", "XXXX"),
)
_NOT_LETTERS = "[^A-Za-z]"
_NO_NAME = "(?i)^{0}*(?:{1})?{0}*$".format(
    _NOT_LETTERS, "|".join(words.replace(" ", f"{_NOT_LETTERS}+") for words in PLACEHOLDERS)
)


def nik_key(nik: ir.StringValue) -> ir.StringValue:
    """The NIK as it is joined on: without separators where there are any.

    What has 16 characters is taken as it stands: less of it could not be a NIK.
    """
    return ibis.ifelse(nik.length() == NIK_DIGITS, nik, nik.re_replace(_SEPARATORS, ""))


def is_identifier(key: ir.StringValue) -> ir.BooleanValue:
    """Whether a key is 16 ASCII digits: a NIK or family-card number at all. Null for null."""
    return (key.length() == NIK_DIGITS) & ~key.re_search("[^0-9]")


def number(key: ir.StringValue) -> ir.IntegerValue:
    """A key as a number, to join and count by at half the cost; null for most that is none.

    Keys of 16 digits have a number each. Other text may have one too, as engines read more than digits: who
    joins by it has made sure of one side with `is_identifier`.
    """
    return key.try_cast("int64")


def is_wellformed(key: ir.StringValue) -> ir.BooleanValue:
    """Whether 16 digits are built as a NIK: province, regency, a day (women: + 40), a month, a serial number.

    False for null.
    """
    built = "^[1-9][1-9][0-9]{4}(?:[04][1-9]|[1256][0-9]|[37][01])(?:0[1-9]|1[0-2])"
    return (is_identifier(key) & key.re_search(built) & ~key.endswith("0000")).fill_null(False)


def sex_in_nik(key: ir.StringValue) -> ir.StringValue:
    """`P` where the day of birth in a NIK has the 40 of women, else `L`; null where it is no day."""
    return ibis.cases(
        (key.substr(6, 1).isin(list("4567")), "P"),
        (key.substr(6, 1).isin(list("0123")), "L"),
        else_=ibis.null(str),
    )


def sex_word(sex: ir.StringValue) -> ir.StringValue:
    """`L` or `P` for the words that files use, else null."""
    word = folded(sex)
    return ibis.cases(
        (_is_one_of(word, ("L", "LK", "LAKI LAKI", "LAKI", "PRIA")), "L"),
        (_is_one_of(word, ("P", "PR", "PEREMPUAN", "WANITA", "W")), "P"),
        else_=ibis.null(str),
    )


def tidy(text: ir.StringValue) -> ir.StringValue:
    """The text with one blank between words and none around, in capitals where it is ASCII."""
    spaced = text.re_replace(_BLANKS, " ").re_replace(_AROUND, "")
    spaced = ibis.ifelse(text.re_search(_NOT_ASCII), spaced, spaced.upper())
    return ibis.ifelse(text.re_search(_UNTIDY), spaced, text.upper())


def folded(text: ir.StringValue) -> ir.StringValue:
    """The words of a text in ASCII capitals, one blank between them: no accent, punctuation or digit."""
    # Translating costs ten times the rest, and hardly a name needs it.
    plain = ibis.ifelse(text.re_search(_NOT_ASCII), text.translate(*_UNACCENTED), text)
    words = plain.re_replace("['`]", "").re_replace("[^A-Za-z]+", " ").re_replace(_AROUND, "").upper()
    return ibis.ifelse(text.re_search(_UNFOLDED), words, text)


def is_no_name(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text is missing, has no letter, or is a placeholder: "-", "TIDAK ADA". Never null."""
    return text.isnull() | text.re_search(_NO_NAME).fill_null(False)


def in_words(rows: ir.Table, *, names: Sequence[str] = (), places: Sequence[str] = ()) -> ir.Table:
    """The rows with these columns in words of one spelling, in their order; null stays null.

    Names lose titles, places what they are ("Kota", "Kab."). Step by step over all columns: each looks first
    whether it would change a text, which is the cheaper question.

    >>> import ibis
    >>> rows = ibis.memtable({"name": ["Drs. H. Moch. Soeharto, M.Si"], "place": ["Kab. Tjilatjap"]})
    >>> ibis.duckdb.connect().to_pyarrow(in_words(rows, names=["name"], places=["place"])).to_pylist()
    [{'name': 'MUHAMAD SUHARTO', 'place': 'CILACAP'}]
    """
    both = (*names, *places)
    steps: Sequence[tuple[Sequence[str], Callable[[ir.StringValue], ir.StringValue]]] = (
        (both, folded),
        (names, _without_titles),
        (names, _with_whole_words),
        (places, _without_place_words),
        (both, _respelt),
        (both, _undoubled),
    )
    for columns, step in steps:
        rows = rows.mutate(**{column: step(rows[column]) for column in columns})
    return rows


def squeezed(words: ir.StringValue) -> ir.StringValue:
    """The words as one: "NUR AINI" and "NURAINI" are written both ways."""
    return words.replace(" ", "")


def in_order(words: ir.StringValue) -> ir.StringValue:
    """The words in alphabetical order."""
    return words.split(" ").sort().join(" ")


def region_key(code: ir.StringValue) -> ir.StringValue:
    """A region code with its points, where it is written without; other text as it stands, without blanks."""
    bare = code.re_replace(_BLANKS, "")
    undotted = bare.length().isin([4, 6, 10]) & ~bare.re_search("[^0-9]")
    parts = [bare.substr(0, 2), bare.substr(2, 2), bare.substr(4, 2), bare.substr(6, 4)]
    dotted = reduce(lambda code, part: code + ibis.ifelse(part == "", "", "." + part), parts)
    # Most codes stand as they should, and that is seen with one look.
    return ibis.ifelse(code.re_search("^[0-9]+[.][0-9.]*$"), code, ibis.ifelse(undotted, dotted, bare))


def _is_one_of(words: ir.StringValue, known: Sequence[str]) -> ir.BooleanValue:
    """Whether folded words are one of these. A pattern, for an engine makes a join of a long list."""
    return words.re_search(f"^(?:{_any_of(known)})$")


def _any_of(patterns: Sequence[str]) -> str:
    return "|".join(patterns)


def _without_titles(words: ir.StringValue) -> ir.StringValue:
    before = f"^(?:(?:{_any_of(_HONORIFICS)}) )+"
    after = f"(?: (?:{_any_of(_DEGREES)}))+$"
    return words.re_replace(before, "").re_replace(after, "")


def _without_place_words(words: ir.StringValue) -> ir.StringValue:
    return words.re_replace(f"^(?:(?:{_any_of(_PLACE_WORDS)}) )+", "")


def _with_whole_words(words: ir.StringValue) -> ir.StringValue:
    """Without kinship between two names, and with shortened words in full."""
    kinship = _any_of(_KINSHIP)
    concerned = _any_of([kinship, *(pattern for pattern, _ in _SHORTENED)])
    # Two blanks between words: a pattern then takes a whole word with its own blanks, and none is shared.
    apart = " " + words.replace(" ", "  ") + " "
    apart = apart.re_replace(_whole_words(kinship), " ")
    for pattern, word in _SHORTENED:
        apart = apart.re_replace(_whole_words(pattern), f" {word} ")
    whole = apart.re_replace(" +", " ").re_replace(_AROUND, "")
    return ibis.ifelse(words.re_search(f"(?:^| )(?:{concerned})(?: |$)"), whole, words)


def _whole_words(pattern: str) -> str:
    return f" (?:{pattern}) "


def _respelt(words: ir.StringValue) -> ir.StringValue:
    spelt = reduce(lambda words, change: words.replace(*change), _SPELLINGS, words)
    return ibis.ifelse(words.re_search(_any_of([written for written, _ in _SPELLINGS])), spelt, words)


def _undoubled(words: ir.StringValue) -> ir.StringValue:
    doubled = [letter * 2 for letter in _DOUBLED]
    once = reduce(lambda words, twice: words.replace(twice, twice[0]), doubled, words)
    return ibis.ifelse(words.re_search(_any_of(doubled)), once, words)
