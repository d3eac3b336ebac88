"""The demo: a gateway on synthetic people that a newcomer can ask, and whose console is full of life.

It does what a production set-up does, by the same code. MUST NOT be used on a registry of real people, and
nothing outside of the commands imports it.
"""
