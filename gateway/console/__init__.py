"""The console: Pusdatin at work in a browser, on the admin API and nothing else.

MUST NOT import anything of the gateway outside of this package: it knows what the API tells it, and may do
what the API lets the signed-in person do. A new screen is a module in `screens`, its templates, and its
sentences in `translations`.
"""
