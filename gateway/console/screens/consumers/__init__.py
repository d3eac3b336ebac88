"""Konsumen: who may call, how each fares, and everything that is done with one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.consumers import acting, forms, reading

# An id has no underscore: none can be taken for this.
_NEW = "/consumers/_new"
_ONE = "/consumers/{consumer}"

PAGES: Sequence[Page] = (
    Page("/consumers", reading.listed),
    Page(_NEW, forms.registration),
    Page(_NEW, forms.register, "POST"),
    Page(_ONE, reading.one),
    Page(f"{_ONE}/edit", forms.correction),
    Page(f"{_ONE}/edit", forms.correct, "POST"),
    Page(f"{_ONE}/keys/_new", forms.new_key),
    Page(f"{_ONE}/keys/_new", forms.add_key, "POST"),
    Page(f"{_ONE}/signatures", forms.signatures),
    Page(f"{_ONE}/signatures", forms.set_signatures, "POST"),
    Page(f"{_ONE}/acts/{{act}}", acting.asked),
    Page(f"{_ONE}/acts/{{act}}", acting.done, "POST"),
)
SAID: Mapping[str, str] = {
    "consumer-proposed": N_("The consumer is registered. It can call once somebody else has approved it."),
    "consumer-changed": N_("The change is kept. What opens more waits for a second person."),
    "consumer-key-proposed": N_("The key is kept. It counts once somebody else has approved it."),
    "consumer-signatures": N_("What is signed counts from the next request on."),
    "consumer-act": N_("Done; it is in the audit log with your reason."),
}
