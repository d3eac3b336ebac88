"""What is wrong with a policy's text, told in the visitor's language. Pure.

The reader of policies says every mistake in one form: `expected ..., got ..., write ...`, in English, as
whoever keeps texts in a repository reads it. Here its parts are told as the catalogue has them. A part that
the catalogue does not know, such as a rare word of YAML's own parser, is shown as it came, and marked as
English: it MUST NOT be left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from gateway.console.language import N_, Speech
from gateway.console.told_again import SAID_IN, Sentences, in_english

_MISTAKE = re.compile(
    r"(?P<place>.*?)expected (?P<expected>.*?), got (?P<got>.*?), write (?P<write>.*)", re.DOTALL
)
_SAID = N_("expected %(expected)s, got %(got)s, write %(write)s")
# Sooner ones are tried first, so what is more particular stands above what would fit it too.
_PARTS: Sequence[str] = (
    N_("one of the keys %(words)s"),
    N_("one of the people above"),
    N_("one of the legal bases of this agreement, word for word"),
    N_("one of %(words)s"),
    N_("the key %(key)s"),
    N_("a mapping with %(words)s"),
    N_("a mapping"),
    N_("an empty mapping"),
    N_("`key: value` lines below this key"),
    N_("a plain key"),
    N_("every key out in full: merge keys and nested keys are not read"),
    N_("each key once"),
    N_("only one of lines %(first)s and %(second)s"),
    N_("%(word)s a second time"),
    N_("no such key"),
    N_("a list with at least one entry, such as `[a, b]`"),
    N_("an empty list"),
    N_("a list of operations"),
    N_("a list of programmes"),
    N_("a list of legal bases"),
    N_("a list of cases"),
    N_("a list of fields"),
    N_("a list of words of %(field)s"),
    N_("a list of words"),
    N_("a list of clauses"),
    N_("a list of dated values"),
    N_("a list of ranges"),
    N_("a list of %(count)s"),
    N_("a list"),
    N_("nothing"),
    N_("none"),
    N_("something else"),
    N_("an empty file"),
    N_("the text %(text)s"),
    N_("the number of the pks"),
    N_("the number %(text)s"),
    N_("the date %(text)s"),
    N_("the yes-or-no value %(text)s"),
    N_("the type %(type)s"),
    N_("a text"),
    N_("a text that is not empty"),
    N_("%(text)s in quotes, if the text is meant"),
    N_("%(text)s in quotes if the text is meant, else 12, true, false or YYYY-MM-DD"),
    N_("each entry once"),
    N_("the list without this entry"),
    N_("a whole number from %(lowest)s to %(highest)s"),
    N_("a whole number without quotes, such as %(example)s"),
    N_("%(number)s, or a number between"),
    N_("a date"),
    N_("it as YYYY-MM-DD, without quotes"),
    N_("a day of the calendar"),
    N_("an existing date, as YYYY-MM-DD"),
    N_("a value"),
    N_("plain YAML"),
    N_("it out"),
    # As libyaml says what is no YAML; what it says rarely is shown in its own words.
    N_("did not find expected key"),
    N_("did not find expected '-' indicator"),
    N_("did not find expected <document start>"),
    N_("did not find expected node content"),
    N_("did not find expected ',' or ']'"),
    N_("did not find expected ',' or '}'"),
    N_("could not find expected ':'"),
    N_("mapping values are not allowed in this context"),
    N_("block sequence entries are not allowed in this context"),
    N_("found character that cannot start any token"),
    N_("found a tab character that violates indentation"),
    N_("found unexpected end of stream"),
    N_("found unexpected ':'"),
    N_("found unknown escape character"),
    N_("control characters are not allowed"),
    N_("an anchor or alias"),
    N_("a tag"),
    N_("UTF-8 text"),
    N_("other bytes"),
    N_("UTF-8"),
    N_("its keys"),
    N_("a few levels"),
    N_("very many"),
    N_("it flatter"),
    N_("the id that the file is named after, %(name)s"),
    N_("the same in both"),
    N_("the agreement's id"),
    N_("lower-case letters, digits and hyphens, such as `bpjs-kesehatan`"),
    N_("lower case letters, digits and _, starting with a letter"),
    N_("a document's number"),
    N_("its number"),
    N_("the numbers of the documents"),
    N_("`pks: number`"),
    N_("a consumer's id"),
    N_("one purpose"),
    N_("a sector, or `none`"),
    N_("a law and article"),
    N_("a day not before valid_from"),
    N_("the last day on which it holds"),
    N_("`programmes: [...]` with those that may be asked about"),
    N_("no programmes without the operation eligibility"),
    N_("the line away"),
    N_("fields, because records are released"),
    N_("at least one field, such as `decile: keep`"),
    N_("one line per field, or `none`"),
    N_("one line per field"),
    N_("a field of the dictionary"),
    N_("pseudonym_sector beside a pseudonymised field"),
    N_("a sector, or another transformation"),
    N_("a field that is released"),
    N_("`none` if only the decision is"),
    N_("only dropped fields"),
    N_("no more than the ceiling of %(field)s, which this reads"),
    N_("a coarser level"),
    N_("a range in quotes"),
    N_("a transformation"),
    N_("nothing: leave the line away, the gateway keeps whether an agreement is in force"),
    N_("one agreement of %(consumer)s for %(purpose)s"),
    N_("%(agreement)s as well"),
    N_("another purpose or remove one"),
    N_("a field of the clause `fields`"),
    N_("it as in `legal_basis`"),
    N_("no more new people than subjects_per_day"),
    N_("at most %(kinds)s, because the ceiling of %(field)s is %(ceiling)s"),
    N_("at most %(most)s"),
    N_("a dotted region code in quotes"),
    N_('it as "35", "35.78", "35.78.01" or "35.78.01.1001"'),
    N_('it as "35" or "35.78"'),
    N_("each region once"),
    N_("`everywhere`, or a list of region codes"),
    N_('`everywhere`, or a list such as `["35"]`'),
    N_("`anyone`, or a list of programmes"),
    N_("`anyone`, or a list such as `[PKH]`"),
    N_("the code of a region in force"),
    N_("one such as 35 or 35.78"),
    N_("an agreement beside it"),
    N_("one or remove it"),
    N_("cases that say what the agreement means"),
    N_("at least one"),
    N_("`programme: ...` for a question of eligibility"),
    N_("nothing beside a refusal"),
    N_("one of the two"),
    N_("a reason code"),
    N_("`values: ...` with everything that leaves, or `values: none`"),
    N_("what leaves, or `none` for an empty list"),
    N_("a name for the person"),
    N_("people by a name that cases use"),
    N_("what the registry says of the person"),
    N_("`none`, or a list of words"),
    N_("region codes"),
    N_("what the caller claims"),
    N_("claims by field"),
    N_("`none`, or one line per field"),
    N_("the case as the parties mean it, or mend the agreement"),
    N_("each clause id once"),
    N_("another id"),
    N_("parameters that a clause uses"),
    N_("it into a clause, or remove it"),
    N_("the programme's name"),
    N_("the programme that the file is named after, %(name)s"),
    N_("a clause id"),
    N_("the legal source, or the practice, of this clause"),
    N_("exactly one operator"),
    N_("an operator for %(type)s fields"),
    N_("a parameter of this file"),
    N_("it under `parameters`, with its dated values"),
    N_("no unknown_when for %(type)s fields"),
    N_("a later day than the entry before"),
    N_("the entries oldest first"),
    N_("who set this value, and where"),
    N_("parameters by name"),
    N_("a parameter's name"),
    N_("a word of %(field)s: %(words)s"),
    N_("the closed list `words` beside this type"),
    N_("`words: [first, second]`"),
    N_("no words for the type %(type)s"),
    N_("`type: word`, or leave `words` out"),
    N_("one key per field"),
    N_("a field name"),
    N_("a text in Indonesian"),
    N_("a text in English"),
    N_("the name of a connector"),
    N_("a word"),
    N_("the list of allowed words"),
    N_("%(kind)s, which releases %(level)s"),
    N_("a field with a value to keep"),
    N_("a field with one plain value for a verdict"),
    N_("a text or identifier to mask"),
    N_("show_first from 0 to %(most)s"),
    N_("an identifier to pseudonymise"),
    N_("a date, region or address to generalise"),
    N_("`%(first)s`, `%(second)s` or `%(third)s`"),
    N_("`%(first)s` or `%(second)s`"),
    N_("only `to`, and `years` for age_band"),
    N_("bands of %(narrowest)s to %(widest)s whole years"),
    N_("a number to put into ranges"),
    N_('ranges such as "1-2", the last may be "5+"'),
    N_("ranges of at least two values, lowest first"),
    N_("each range to begin right after the one before"),
    N_("one transformation"),
    N_("%(count)s of them"),
    N_("`keep`, or `{generalise: year}`"),
    N_("%(kind)s without parameters"),
    N_("parameters"),
    N_("pseudonym_sector beside translation"),
    N_("a sector, or no translation"),
    N_("another sector than pseudonym_sector"),
    N_("the sector that receives"),
    N_("the sector that may open it"),
    N_("a field that the source %(source)s provides"),
    N_("a field that a source of this gateway provides"),
    N_("one that it does not"),
    N_("another field or source, or configure the source and restart first (`gapura sources`)"),
    N_("%(number)s, the number of this version"),
)
_KNOWN = Sentences(_PARTS)
# What stands in the text itself, or is to stand there, and is of no language.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


def mistake_told(speech: Speech, sentence: str) -> Markup:
    """One mistake, as the reader of policies says it, as HTML of a page in the language of `speech`.

    A sentence of another form is not the reader's: whoever said it knew the visitor's language.

    >>> from gateway.console.language import speech
    >>> print(mistake_told(speech("id"), "fields.nik: expected a text, got nothing, write a value"))
    fields.nik: diharapkan teks, diperoleh kosong, tulis sebuah nilai
    """
    found = _MISTAKE.fullmatch(sentence)
    if found is None or speech.language == SAID_IN:
        return escape(sentence)
    parts = {name: _part_told(speech, found[name]) for name in ("expected", "got", "write")}
    return escape(found["place"]) + escape(speech.say(_SAID)) % parts


def _part_told(speech: Speech, text: str) -> Markup:
    if found := _KNOWN.found(text):
        part, values = found
        return escape(speech.say(part, **values))
    return escape(text) if _QUOTED.fullmatch(text) else in_english(text)
