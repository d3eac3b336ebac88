"""A POST that is sent twice with the same `Idempotency-Key` is done once, and answered twice.

After draft-ietf-httpapi-idempotency-key-header-07. The key is written down in the very transaction that does
what is asked, so neither is there without the other, whatever is killed when. It MUST NOT keep a request, nor
an answer that anybody but the sender of the key could open.
"""
