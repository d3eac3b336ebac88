"""The doctor: looks at everything that a gateway needs, says what is wrong, and what to do about it.

Each module looks at one organ and gives findings; none MUST change anything, make a key, apply a migration or
print a secret. What cannot be looked at because something else is wrong is said to be unknown, never good.
"""
