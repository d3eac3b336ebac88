"""Signed messages (RFC 9421, RFC 9530), for consumers who want more than a receipt: off unless switched on.

A consumer may have its answers signed by the gateway, and may bind itself to sign its requests. It costs some
half a millisecond a message, so nobody else pays for it.
"""
