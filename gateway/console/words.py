"""What the API's words are called on a page: states, roles, kinds. In English, translated when shown.

The names are the glossary's, the same as in code, YAML and API. A word that is missing is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.console.language import N_

WORDS: Mapping[str, Mapping[str, str]] = {
    "role": {
        "author": N_("Author"),
        "approver": N_("Approver"),
        "auditor": N_("Auditor"),
        "operator": N_("Operator"),
    },
}
