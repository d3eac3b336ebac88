"""Perjanjian: agreements from a first draft to their end, filled in and tried without a line of YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.agreements import filling, listing, one, trying

# Pages of no agreement begin with `_`, with which no name of one begins.
_ALL = "/agreements"
_ONE = _ALL + "/{name}"
_VERSION = _ONE + "/versions/{number:int}"

PAGES: Sequence[Page] = (
    Page(_ALL, listing.agreements),
    Page(f"{_ALL}/_new", listing.new),
    Page(f"{_ALL}/_new", listing.begin, "POST"),
    Page(f"{_ALL}/_dictionary", listing.dictionary),
    Page(_ONE, one.policy),
    Page(f"{_ONE}/compare", one.compare),
    Page(f"{_ONE}/begin", one.begin_version, "POST"),
    Page(_VERSION, one.version),
    Page(_VERSION + "/acts/{act}", one.do_act, "POST"),
    Page(f"{_VERSION}/fields", filling.fields),
    Page(f"{_VERSION}/fields", filling.save_fields, "POST"),
    Page(f"{_VERSION}/terms", filling.terms),
    Page(f"{_VERSION}/terms", filling.save_terms, "POST"),
    Page(f"{_VERSION}/preview", trying.preview),
    Page(f"{_VERSION}/preview", trying.try_on_person, "POST"),
    Page(f"{_VERSION}/cases", trying.save_case, "POST"),
    Page(f"{_VERSION}/cases/adjust", one.adjust_cases, "POST"),
    Page(f"{_VERSION}/impact", trying.impact),
    Page(f"{_VERSION}/impact", trying.replay, "POST"),
    Page(f"{_VERSION}/text", one.text),
    Page(f"{_VERSION}/text", one.save_text, "POST"),
)
SAID: Mapping[str, str] = {
    "draft-begun": N_("A draft has been begun. It counts for nobody until it is put into force."),
    "draft-saved": N_("The draft is saved."),
    "cases-adjusted": N_("The chosen cases now say what the draft does."),
    "no-case-chosen": N_("No case was chosen, and nothing was changed."),
    "case-saved": N_("What you tried is now a case of this draft: it has to hold whenever a text changes."),
    "did-submit": N_("The version waits for an approver."),
    "did-withdraw": N_("The version is a draft again."),
    "did-approve": N_("You have approved this version."),
    "did-refuse": N_("The version has gone back to its authors."),
    "did-discard": N_("The version has been given up."),
    "did-activate": N_("The version is in force."),
    "did-suspend": N_("The agreement is suspended: nothing is answered under it."),
    "did-resume": N_("The agreement answers again."),
    "did-revoke": N_("The agreement has ended."),
}
