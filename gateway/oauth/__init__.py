"""Who is calling: token issuing, sender constraint and the bearer check that yields a `Consumer`.

It knows nothing of agreements or people: what a consumer may see is decided in `policies`.
"""
