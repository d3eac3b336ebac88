"""What the store can keep at all: texts, names and reasons within their bounds. Pure.

Whether a text means anything is for `judging`.
"""

from __future__ import annotations

from gateway.agreements.lifecycle import Kind
from gateway.agreements.reading import DICTIONARY_NAME
from gateway.errors import BadInput
from policies.dictionary import Text
from policies.strict_yaml import SLUG

LONGEST_TEXT_BYTES = 400_000
_LONGEST_NAME = 80
_LONGEST_REASON = 500


def refuse_unkeepable(*texts: bytes) -> None:
    """Raise BadInput for texts that cannot be kept as characters and given back byte for byte."""
    if sum(map(len, texts)) > LONGEST_TEXT_BYTES:
        raise BadInput(
            Text(
                f"text: diharapkan paling banyak {LONGEST_TEXT_BYTES} bita dengan kasusnya, diperoleh lebih.",
                f"text: expected at most {LONGEST_TEXT_BYTES} bytes with its cases, got more.",
            ),
            code="too_long",
        )
    for content in texts:
        try:
            readable = "\0" not in content.decode()
        except UnicodeDecodeError:
            readable = False
        if not readable:
            raise BadInput(
                Text(
                    "text: diharapkan UTF-8 tanpa karakter NUL, diperoleh yang lain: simpan sebagai UTF-8.",
                    "text: expected UTF-8 without NUL characters, got something else: save it as UTF-8.",
                )
            )


def refuse_name(kind: Kind, name: str) -> None:
    """Raise BadInput for a name that no file of this kind could have."""
    if kind == "dictionary" and name != DICTIONARY_NAME:
        raise BadInput(
            Text(
                f"name: diharapkan {DICTIONARY_NAME}: kamus hanya satu.",
                f"name: expected {DICTIONARY_NAME}: there is one dictionary.",
            )
        )
    if not SLUG.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise BadInput(
            Text(
                f"name: diharapkan paling banyak {_LONGEST_NAME} huruf kecil, angka dan tanda hubung, "
                "seperti nama berkasnya tanpa akhiran, misalnya `bpjs-pbi-jk`.",
                f"name: expected at most {_LONGEST_NAME} lower-case letters, digits and hyphens, as the file "
                "is named without its ending, such as `bpjs-pbi-jk`.",
            )
        )


def checked_reason(reason: str) -> str:
    """A reason without the blanks around it. Raises BadInput where the log cannot take it."""
    reason = reason.strip()
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise BadInput(
            Text(
                f"reason: diharapkan paling banyak {_LONGEST_REASON} karakter biasa yang menyebut alasannya.",
                f"reason: expected at most {_LONGEST_REASON} printable characters that say why.",
            )
        )
    return reason
