"""Limits of an agreement: how much may be asked in a minute and in a day, and walks through the NIKs.

Counted per agreement, over all its credentials, workers and nodes, before any source is asked. What is
remembered of a person is a keyed number that differs from agreement to agreement. It MUST NOT hold a NIK, a
birth date or a district in any form that can be read without the audit key.
"""
