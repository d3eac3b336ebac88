"""Keeping the log in order: every committed entry gets its place, is signed for, indexed and counted.

`order` is the work, `keeper` the process of its own that does it on PostgreSQL, `guard` what starts that from
a serving process and hears from it, `failures` what both say. On SQLite the work stays in threads of the one
process that serves: its writers queue on a lock, where another process would meet the busy timeout.

Nothing here MUST be what an answer waits for.
"""
