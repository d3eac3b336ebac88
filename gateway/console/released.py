"""What a field is released as, in words: the API spells it as an agreement does, `generalise (to: village)`.

A parameter that is not known here is shown as it is spelled, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.console.language import N_, Speech
from gateway.console.words import WORDS

_SPELLED = re.compile(r"(?P<name>\w+)(?: \((?P<parameters>.*)\))?", re.DOTALL)
_PARAMETERS: Mapping[str, str] = {
    "show_first": N_("only the first %(value)s characters show"),
    "to": N_("to %(value)s"),
    "years": N_("bands of %(value)s years"),
    "ranges": N_("ranges %(value)s"),
}


def released(speech: Speech, spelled: str) -> str:
    """The transformation in the words of a language."""
    parts = _SPELLED.fullmatch(spelled)
    if parts is None:
        return spelled
    form = WORDS["form"].get(parts["name"], parts["name"])
    said = speech.say(form)
    told = [_parameter(speech, one) for one in (parts["parameters"] or "").split("; ") if one]
    return f"{said}: {', '.join(told)}" if told else said


def _parameter(speech: Speech, spelled: str) -> str:
    name, _, value = spelled.partition(": ")
    if name not in _PARAMETERS:
        return spelled
    if name == "to":
        level = WORDS["to"].get(value, value)
        value = speech.say(level)
    sentence = _PARAMETERS[name]
    return speech.say(sentence, value=value)
