"""LZ-String in its URI-safe form, in which BPJS packs every answer before it encrypts it.

True to pieroxy/lz-string 1.5 `compressToEncodedURIComponent` and its inverse, which count in UTF-16 code
units; the differences are of rigour. Broken text is an error here and never an empty string, and what comes
out is bounded: a few bytes can be made to unfold to gigabytes.
"""

from __future__ import annotations

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$"
_BITS_PER_LETTER = 6
# Letter -> its six bits in the order in which numbers take them. "$" is the 65th letter: six zero bits.
_BITS_OF = {letter: int(f"{value & 63:06b}"[::-1], 2) for value, letter in enumerate(_ALPHABET)}
_BITS_OF[" "] = _BITS_OF["+"]
# Codes that are no words: a new unit of 8 or of 16 bits follows, or the text ends.
_NEW_8, _NEW_16, _END = 0, 1, 2
_FIRST_WORD = 3
_BYTE = 256
DEFAULT_LIMIT = 1 << 20


class BrokenText(ValueError):  # noqa: N818 - says what is the matter
    """The text is not LZ-String, is cut short, or unfolds to more than is allowed."""


class _Reader:
    """Takes numbers out of the letters, least significant bit first, reading no further than asked."""

    def __init__(self, text: str) -> None:
        self._letters = iter(text)
        self._bits = 0
        self._held = 0

    def take(self, width: int) -> int:
        while self._held < width:
            letter = next(self._letters, None)
            if letter is None:
                raise BrokenText("the packed text ends before its end mark")
            if letter not in _BITS_OF:
                raise BrokenText("the packed text holds a letter that is not of its alphabet")
            self._bits |= _BITS_OF[letter] << self._held
            self._held += _BITS_PER_LETTER
        number = self._bits & ((1 << width) - 1)
        self._bits >>= width
        self._held -= width
        return number


class _Writer:
    def __init__(self) -> None:
        self._letters: list[str] = []
        self._value = 0
        self._filled = 0

    def put(self, number: int, width: int) -> None:
        for place in range(width):
            self._value = self._value << 1 | (number >> place & 1)
            self._filled += 1
            if self._filled == _BITS_PER_LETTER:
                self._letters.append(_ALPHABET[self._value])
                self._value = self._filled = 0

    def text(self) -> str:
        """Everything put, filled up to a whole letter; the original adds a letter even where none is open."""
        return "".join(self._letters) + _ALPHABET[self._value << (_BITS_PER_LETTER - self._filled)]


class _Width:
    """How many bits the next code has; both sides let it grow in step with the words they know."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._until_wider = 1 << (bits - 1)

    def count(self) -> None:
        self._until_wider -= 1
        if self._until_wider == 0:
            self._until_wider = 1 << self.bits
            self.bits += 1


def decompress_from_encoded_uri_component(text: str, limit: int = DEFAULT_LIMIT) -> str:
    """The text that was packed; what follows the end mark, such as cipher padding, is not looked at.

    Raises BrokenText for anything that the packing never yields, and for more than `limit` UTF-16 units.
    """
    reader = _Reader(text)
    first = _unit(reader, reader.take(2))
    if first is None:
        return ""
    words = ["", "", "", first]
    unfolded = [first]
    size, previous, width = 1, first, _Width(3)
    while (code := reader.take(width.bits)) != _END:
        if code < _END:
            words.append(_unit(reader, code) or "")
            code = len(words) - 1
            width.count()
        if code > len(words):
            raise BrokenText("the packed text names a word that it has not told")
        word = words[code] if code < len(words) else previous + previous[0]
        size += len(word)
        if size > limit:
            raise BrokenText(f"the packed text unfolds to more than {limit} units")
        unfolded.append(word)
        words.append(previous + word[0])
        width.count()
        previous = word
    return _from_units("".join(unfolded))


def compress_to_encoded_uri_component(text: str) -> str:
    """Pack `text`, letter for letter as the original does."""
    writer, width = _Writer(), _Width(2)
    codes: dict[str, int] = {}
    untold: set[str] = set()

    def tell(word: str) -> None:
        if word in untold:
            untold.remove(word)
            unit = ord(word)
            writer.put(_NEW_8 if unit < _BYTE else _NEW_16, width.bits)
            writer.put(unit, 8 if unit < _BYTE else 16)
            width.count()
        else:
            writer.put(codes[word], width.bits)
        width.count()

    word = ""
    for unit in _to_units(text):
        if unit not in codes:
            codes[unit] = len(codes) + _FIRST_WORD
            untold.add(unit)
        if word + unit in codes:
            word += unit
            continue
        tell(word)
        codes[word + unit] = len(codes) + _FIRST_WORD
        word = unit
    if word:
        tell(word)
    writer.put(_END, width.bits)
    return writer.text()


def _unit(reader: _Reader, code: int) -> str | None:
    """The unit that a code announces, or None for the end mark."""
    if code == _END:
        return None
    if code > _END:
        raise BrokenText("the packed text begins with a word that it has not told")
    return chr(reader.take(8 if code == _NEW_8 else 16))


def _to_units(text: str) -> str:
    """Text in which each letter is one UTF-16 code unit, as JavaScript counts."""
    packed = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(packed[i] | packed[i + 1] << 8) for i in range(0, len(packed), 2))


def _from_units(units: str) -> str:
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
