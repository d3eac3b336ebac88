"""Names between agencies: the versions of sector keys, renewal, translation, and the way back to a person.

No table links a name to a person. What is kept are numbers, states and dates; salts are key files.
"""
