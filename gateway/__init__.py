"""The imperative shell: everything that keeps state, speaks HTTP or knows the time.

It MUST NOT hold a rule about who may see what: those live in `policies`, which is pure.
"""
