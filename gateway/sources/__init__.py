"""The gateway's side of outside sources: how they are configured, what is counted, and what is remembered.

Connectors speak to a source and know no database; what they need of one is implemented here. Nothing here
MUST store more of a source's answer than a word of a closed list.
"""
