"""What the API's words about consumers, exchanges and what needs somebody are called on a page."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.console.language import N_

CONSUMER_WORDS: Mapping[str, Mapping[str, str]] = {
    "exchange_outcome": {
        "answered": N_("Answered in full"),
        "withheld": N_("Answered, fields withheld"),
        "unknown": N_("Answered, something unknown"),
        "refused": N_("Refused"),
        "unavailable": N_("Source down"),
        "erased": N_("Erased"),
    },
    "person_outcome": {
        "eligible": N_("eligible"),
        "ineligible": N_("not eligible"),
        "unknown": N_("unknown"),
        "released": N_("data released"),
        "not_found": N_("not found"),
        "duplicate_identity": N_("duplicate identity"),
        "invalid_identifier": N_("unusable identifier"),
        "other": N_("other"),
    },
    "exchange_operation": {
        "eligibility": N_("Eligibility"),
        "records": N_("Records"),
        "access_history": N_("Access history"),
        "findings": N_("Findings"),
        "": N_("Erased"),
    },
    "need": {
        "incidents": N_("Incidents whose clock is running"),
        "sources_down": N_("Sources that are down"),
        "alarms": N_("Alarms today"),
        "policies_submitted": N_("Versions waiting for approval"),
        "policies_returned": N_("Handed back to you, to be changed"),
        "policies_approved": N_("Approved, to be put into force"),
        "consumers_waiting": N_("Consumers or changes waiting"),
        "keys_waiting": N_("Keys waiting for approval"),
        "roles_waiting": N_("Roles waiting for a second person"),
        "reversals_requested": N_("Reversals of pseudonyms asked for"),
        "reversals_approved": N_("Reversals to be performed"),
        "likely_persons": N_("Likely persons to review, more probable than not"),
        "acceptance_rules": N_("Rules of acceptance waiting"),
        "runs_stopped": N_("Reconciliations that stand still"),
        "usage_report": N_("Usage report due to Dukcapil"),
        "agreements_ending": N_("Agreements that end within 30 days"),
        "keys_ending": N_("Consumers whose keys end within 30 days"),
    },
    "pattern": {
        "new_people": N_("most new people of a day"),
        "neighbouring_serials": N_("neighbouring serial numbers"),
        "consecutive_birth_dates": N_("consecutive birth dates"),
        "unknown_people": N_("many unknown people"),
    },
    "stopped_run": {"failed": N_("a run has failed"), "paused": N_("a run is paused")},
    "consumer_state": {
        "active": N_("active"),
        "proposed": N_("waits to be let in"),
        "disabled": N_("suspended"),
    },
    "key": {
        "awaiting_approval": N_("waits for approval"),
        "not_yet_good": N_("not yet good"),
        "good": N_("good"),
        "ended": N_("ended"),
    },
    "signed": {
        "off": N_("nothing is signed"),
        "responses": N_("our answers are signed"),
        "both": N_("answers and requests are signed"),
    },
    "limit": {
        "requests_per_minute": N_("Requests a minute"),
        "subjects_per_day": N_("People a day"),
        "new_people_per_day": N_("New people a day"),
    },
}
