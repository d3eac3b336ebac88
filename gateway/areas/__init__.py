"""Maps in the gateway's own store: what regions are called, where they lie, and what is said of them.

They are imported, from a map server or a file, and no answer ever waits for a map server.
"""
