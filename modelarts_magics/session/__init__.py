"""One instance: find it, read it, change it, and read back the effect of a change.

Exports `connect.connect`, which opens a `session.Session`; `cache` and `store` share the last known
state between the processes of a machine. Imports `api`, `config` and the packages below them.
"""
