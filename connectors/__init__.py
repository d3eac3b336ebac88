"""Everything that touches a foreign system.

A connector never knows who is asking, and this package MUST NOT import `policies` or `gateway`.
"""
