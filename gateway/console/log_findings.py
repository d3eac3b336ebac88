"""What is wrong with the log, told in the visitor's language. Pure.

The verifier says it in English wherever it runs, and what it found is kept in its words. What the catalogue
does not know is shown as it came: it MUST NOT be left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gateway.console.language import N_, Speech
from gateway.console.told_again import Retelling, Sentences, counted, either

FINDINGS: Sequence[str] = (
    N_("entry %(number)s: changed: %(words)s"),
    N_("entry %(number)s: dropped: %(words)s"),
    N_("entry %(number)s: inserted: %(words)s"),
    N_("entry %(number)s: reordered: %(words)s"),
    N_("entry %(number)s: truncated: %(words)s"),
    N_("entry %(number)s: forked: %(words)s"),
    # What is wrong with one entry.
    N_("its text is no JSON object"),
    N_("its line cannot be read"),
    N_("its subjects are not those that were logged"),
    N_("its text is not the one whose hash was recorded"),
    N_("its payload is gone and no entry orders the erasure"),
    N_("its subjects is gone and no entry orders the erasure"),
    # What is wrong with their order and their hashes.
    N_("%(count)s up to it are gone, and no entry orders so many to be detached"),
    N_("the log ends before it, but more was signed or hashed"),
    N_("the tree holds no such entry"),
    N_("another entry was logged here, and this one elsewhere"),
    N_("the entry that was logged here is gone"),
    N_("no such entry was logged here"),
    N_("it is not the entry that was logged here"),
    N_("the entry is as signed, but the tree's hash of it is not"),
    N_("an entry from here up to %(last)s is not the one that was signed"),
    N_("the tree's inner hash number %(place)s of level %(level)s is not that of its leaves"),
    N_("%(count)s entries stand beside the tree"),
    # What is not proven by a checkpoint and its proofs.
    N_("the checkpoint of size %(size)s is not signed by the given key of %(names)s"),
    N_("that is no checkpoint: expected origin, size, root and signatures"),
    N_("the checkpoint has a line that is no signature"),
    N_("that is no key: expected NAME+ID+BASE64 of an Ed25519 key"),
    N_("the id of the key of %(name)s does not belong to it"),
    N_("the key is not base64"),
    N_("a signature is not base64"),
    N_("the root is not base64"),
    N_("a hash of the proof is not base64"),
    N_("that is no inclusion proof: expected %(head)s, an index and hashes"),
    N_("the inclusion proof is too long"),
    N_("entry %(number)s is not in the tree of size %(size)s with the signed root"),
    N_("the tree of size %(size)s has no entry %(number)s"),
    N_("a tree of size %(second)s cannot follow one of size %(first)s"),
    N_("two different trees of size %(size)s: forked"),
    N_("the tree of size %(second)s does not continue the tree of size %(first)s: forked"),
    N_("the consistency proof is empty"),
    N_("the consistency proof is too long"),
    N_("the consistency proof is too short"),
)
_RETELLING = Retelling(
    Sentences(FINDINGS, value=r"\S+", values={"words": ".+", "names": r"\S+(?: or \S+)*"}),
    nested=frozenset({"words"}),
    values={"count": counted, "names": either},
)


def finding_told(speech: Speech, finding: str) -> Markup:
    """What a check of the log or of one entry found, as HTML of a page in the language of `speech`.

    >>> from gateway.console.language import speech
    >>> print(finding_told(speech("id"), "entry 7: inserted: no such entry was logged here"))
    catatan 7: disisipkan: catatan ini tidak pernah dicatat di sini
    """
    return _RETELLING(speech, finding)
