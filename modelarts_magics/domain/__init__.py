"""Rules and values of an instance and its auto-stop, without I/O.

Imports `errors` and `messages` only; every other package builds on these types.
"""
