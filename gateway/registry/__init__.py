"""DTKS itself: people, households, enrolments, deciles, regions, and the import that keeps them.

It knows nothing of consumers or agreements.
"""
