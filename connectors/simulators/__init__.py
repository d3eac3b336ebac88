"""Each outside source as a real HTTP server on synthetic people, for tests, training and the demo.

A simulator MUST NOT be given anybody real: it checks no agreement and keeps no evidence.
"""
