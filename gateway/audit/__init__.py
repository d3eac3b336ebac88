"""Evidence: what was exchanged, with whom, under which rule, kept before the answer leaves.

It MUST NOT hold a value of a person: field names, keyed hashes and counts only.
"""
