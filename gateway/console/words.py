"""What the API's words are called on a page: states, roles, kinds. In English, translated when shown.

The names are the glossary's, the same as in code, YAML and API. A word that is missing is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.console.consumer_words import CONSUMER_WORDS
from gateway.console.language import N_
from gateway.console.log_words import LOG_WORDS
from gateway.console.policy_words import POLICY_WORDS

WORDS: Mapping[str, Mapping[str, str]] = {
    **LOG_WORDS,
    **POLICY_WORDS,
    **CONSUMER_WORDS,
    "role": {
        "author": N_("Author"),
        "approver": N_("Approver"),
        "auditor": N_("Auditor"),
        "operator": N_("Operator"),
    },
    "run_state": {
        "queued": N_("waiting for a worker"),
        "running": N_("running"),
        "waiting": N_("waiting for its hour"),
        "paused": N_("paused"),
        "cancelled": N_("cancelled"),
        "completed": N_("completed"),
        "failed": N_("stopped by a fault"),
    },
    "run_phase": {
        "reading": N_("Step 1 of 4: reading the extract and the registry."),
        "comparing": N_("Step 2 of 4: comparing people."),
        "linking": N_("Step 3 of 4: looking for likely persons."),
        "storing": N_("Step 4 of 4: storing what was found."),
    },
    "run_way": {"extract": N_("with an extract"), "live": N_("live, asking Dukcapil")},
    "finding_state": {
        "open": N_("open"),
        "sent": N_("sent to the regency"),
        "answered": N_("answered"),
        "closed": N_("closed"),
    },
    "finding_answer": {
        "confirmed": N_("it is as found"),
        "corrected": N_("the data were corrected"),
        "not_so": N_("it is not so"),
        "not_found": N_("the person was not found"),
        "in_progress": N_("being looked into"),
    },
    "candidate_state": {
        "proposed": N_("waits for a decision"),
        "accepted": N_("accepted"),
        "refused": N_("refused"),
        "superseded": N_("superseded"),
    },
    "rule_state": {"set": N_("proposed"), "active": N_("in force"), "ended": N_("ended")},
    "quality": {
        "people": N_("People"),
        "aged_under_18": N_("Under 18"),
        "aged_18_to_59": N_("18 to 59"),
        "aged_60_and_over": N_("60 and over"),
        "age_unknown": N_("Age unknown"),
        "unmatched": N_("Unmatched"),
        "not_checked": N_("Not yet checked"),
        "no_longer_eligible": N_("Ended, still enrolled"),
        "duplicate_nik": N_("NIK shared"),
        "informal_workers": N_("Informal workers"),
    },
    "status": {
        "matched": N_("matched"),
        "matched_with_differences": N_("matched with differences"),
        "deceased": N_("deceased"),
        "moved": N_("moved"),
        "duplicate": N_("duplicate"),
        "inactive": N_("inactive"),
        "malformed_nik": N_("NIK malformed"),
        "unknown_nik": N_("NIK unknown"),
        "not_checked": N_("not yet checked"),
    },
    "evidence": {
        "name": N_("Name"),
        "birth_date": N_("Birth date"),
        "birth_place": N_("Birth place"),
        "sex": N_("Sex"),
        "region": N_("Region"),
        "mother_name": N_("Mother's name"),
        "family_card": N_("Family card"),
        "since": N_("Since"),
        "moved_to": N_("Moved to"),
        "holders": N_("People with this NIK"),
        "candidates": N_("Candidates"),
        "same": N_("the same"),
        "variant": N_("the same, written otherwise"),
        "different": N_("different"),
        "missing": N_("missing on one side"),
    },
}
