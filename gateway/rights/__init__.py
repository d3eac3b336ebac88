"""People's rights: who looked at my record, what do you hold of me, and what happens when something leaked.

Everything here that speaks of a person leaves an entry in the log, in which that person is findable again.
"""
