"""Sentences that the gateway says in English alone, recognised and told in the visitor's language. Pure.

Whoever says such a sentence has no visitor before it: a connector, the verifier of the log, the reader of
policies. Here a sentence is known by the message of the catalogue that it was made from, with whatever stands
in the message's places. What no message fits is shown as it came, and marked as English: it MUST NOT be left
out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from markupsafe import Markup, escape

from gateway.console.language import N_, Language, Speech

SAID_IN: Language = "en"
_OR = N_("or")
_PLACE = re.compile(r"%\\\((\w+)\\\)s")


class Sentences:
    """The messages of a catalogue, each with `%(name)s` where a value stands.

    Sooner ones are tried first, so what is more particular stands above what would fit it too. `value` is the
    pattern of what stands in a place, `values` those of places by their names.
    """

    def __init__(
        self,
        messages: Sequence[str],
        *,
        value: str = ".*",
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        def place(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{values.get(found[1], value)})"

        self._patterns = [
            (message, re.compile(_PLACE.sub(place, re.escape(message)), re.DOTALL)) for message in messages
        ]

    def found(self, text: str) -> tuple[str, dict[str, str]] | None:
        """The message that a text was made from, and what stands in its places; None for any other text."""
        for message, pattern in self._patterns:
            if fitting := pattern.fullmatch(text):
                return message, fitting.groupdict()
        return None


class Retelling:
    """Tells what `sentences` know in a visitor's language. `values` say how a value is told, by its name.

    A name that `nested` holds stands for another sentence, which is told in the same way.
    """

    def __init__(
        self,
        sentences: Sentences,
        *,
        nested: frozenset[str] = frozenset(),
        values: Mapping[str, Callable[[Speech, str], str]] = MappingProxyType({}),
    ) -> None:
        self._sentences = sentences
        self._nested = nested
        self._values = values

    def __call__(self, speech: Speech, text: str) -> Markup:
        """The sentence for a page of `speech`; what is not known of it is marked as English."""
        if speech.language == SAID_IN:
            return escape(text)
        found = self._sentences.found(text)
        if found is None:
            return in_english(text)
        message, given = found
        told: dict[str, Any] = {name: self._value(speech, name, value) for name, value in given.items()}
        return escape(speech.say(message)) % told

    def _value(self, speech: Speech, name: str, value: str) -> str:
        if name in self._nested:
            return self(speech, value)
        return self._values[name](speech, value) if name in self._values else value


def in_english(text: str) -> Markup:
    """A text that nobody has in another language, as it came and marked as English."""
    return Markup('<span lang="{}">{}</span>').format(SAID_IN, text)


def counted(speech: Speech, text: str) -> str:
    """A number as sentences have it in English, as this language writes it; any other text as it is."""
    if re.fullmatch(r"\d+(?:\.\d+)?", text) is None:
        return text
    return speech.number(float(text), len(text.partition(".")[2]))


def day(speech: Speech, text: str) -> str:
    """A civil day (ISO 8601)."""
    return speech.day(text)


def either(speech: Speech, text: str) -> str:
    """Several names, of which one is meant."""
    return text.replace(" or ", f" {speech.say(_OR)} ")
