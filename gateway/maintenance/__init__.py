"""Maintenance that partners are told of: ordered ahead, until when and why, and obeyed by every process.

An order is a row of the database, or a file where the database is the thing being maintained. It lasts until
somebody ends it: `until` is what partners are told, never what opens the gate.
"""
