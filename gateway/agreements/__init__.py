"""Policies as they come into force: versions of texts, who wrote them, who approved them, what counts now."""
