"""Why a reconciliation stopped, told in the visitor's language. Pure.

A run keeps one sentence, in English, of whatever stopped it; below it may stand parts of the extract, each
with what is wrong there. What the catalogue does not know is shown as it came: it MUST NOT be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from gateway.console.language import N_, Speech
from gateway.console.told_again import Retelling, Sentences, counted, day

_BELOW = "\n  - "
FAILURES: Sequence[str] = (
    # What is read (gateway/reconciliation/extract.py, former_regions.py, the model of linking).
    N_("extract: expected a path of a file or folder, got none"),
    N_("there is no %(file)s: expected a CSV or Parquet file, or a folder of such files"),
    N_("%(file)s has no file that ends in .csv or .parquet: expected at least one"),
    N_("the extract has no rows: expected one for every person"),
    N_("no partition of the extract is sound:"),
    N_("as_of: expected a day that has come, got %(day)s; mend the extract and submit again."),
    N_("%(file)s: expected the header old_code,new_code, got %(count)s others"),
    N_("%(file)s, line %(line)s: expected two region codes of one level, such as 35.78.08,35.78.31"),
    N_(
        "%(file)s: expected a CSV file in UTF-8, got %(type)s; save it as UTF-8 where the gateway may read it"
    ),
    N_("%(file)s: not a linking model; expected a file that training wrote"),
    N_("%(file)s: the digest is not that of its content under this version; train the model anew"),
    N_("linking model: its levels are %(found)s, expected %(expected)s; train it anew"),
    # What it is worked out with.
    N_("no engine is called so: expected duckdb or spark, got %(count)s other letters"),
    N_("the engine spark needs the extra of that name: install gapura[spark]"),
    N_(
        "Spark did not start (%(type)s): expected Java 17 or later here, or a Spark Connect server at the "
        "address given; install one or the other"
    ),
    N_("The settings do not allow a start:"),
    # What it is stored in.
    N_("The database did not answer; the step was not done."),
    N_("The database did not answer; nothing was changed."),
    N_("The database takes no writes now; nothing was changed."),
    N_("A text has a zero byte in it; nothing was changed."),
    N_("The step %(step)s failed (%(type)s)."),
    N_("unforeseen: %(type)s"),
)
PARTS: Sequence[str] = (
    N_("%(defect)s (%(rows)s rows)"),
    N_("%(file)s: it cannot be read as a %(kind)s file; ask for a new copy"),
    N_("%(file)s: it is cut off: its end is missing; copy it again and compare the sizes"),
    N_("%(file)s: it has no rows: expected one for every person"),
    N_("%(file)s: expected UTF-8, got %(kind)s; save it again as UTF-8"),
    N_("%(file)s: the column %(column)s is missing; ask for an extract with all columns agreed on"),
    N_("%(file)s: the column %(column)s is there twice; leave one out"),
    N_("%(file)s: expected text of 16 digits, got %(form)s; export %(column)s again as text"),
    N_("%(file)s: expected 16 digits in %(column)s, got something else; ask for the rows again"),
    N_("%(file)s: expected dates as YYYY-MM-DD in %(column)s, got something else; export them again so"),
    N_("%(file)s: %(column)s has words that are not on the list: expected %(words)s"),
    N_(
        "%(file)s: columns are shifted: values are not what their headings say; look at delimiters and "
        "quotation marks"
    ),
    N_("%(file)s: rows have more or fewer columns than the headings; look at delimiters and quotation marks"),
    N_("%(file)s: the same NIK stands in more than one row; leave out the duplicate rows"),
    # What else the settings lack, of which a run hears only when it begins.
    N_("a live run needs a section [%(section)s] in the file that GAPURA_SOURCES names"),
)
_FORMS = frozenset(
    {N_("whole numbers"), N_("floating-point numbers"), N_("decimal or exponent form")},
)


class Failure(NamedTuple):
    """Why a run stopped, and what is wrong with each part that it stopped for; both as HTML."""

    why: Markup
    parts: Sequence[Markup]


def _form(speech: Speech, text: str) -> str:
    return speech.say(text) if text in _FORMS else text


_VALUES = {
    "day": r"\d{4}-\d\d-\d\d",
    "step": r"\w+",
    "type": r"\w+",
    "column": r"\w+",
    "count": r"\d+",
    "line": r"\d+",
    "rows": r"\d+",
    "section": r"\w+",
}
_FAILURE = Retelling(Sentences(FAILURES, values=_VALUES), values={"day": day, "count": counted})
_PART = Retelling(
    Sentences(PARTS, values=_VALUES),
    nested=frozenset({"defect"}),
    values={"rows": counted, "form": _form},
)


def failure_told(speech: Speech, failure: str) -> Failure:
    """Why a run stopped, in the language of `speech`.

    >>> from gateway.console.language import speech
    >>> print(failure_told(speech("id"), "unforeseen: KeyError").why)
    galat yang tidak diperkirakan: KeyError
    """
    why, *parts = failure.split(_BELOW)
    return Failure(_FAILURE(speech, why), [_PART(speech, part) for part in parts])
