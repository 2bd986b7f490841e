"""One instance: find it, read it, change it, and read back what a change did.

`connect.connect` opens a `session.Session`; `store` shares the last known state between processes.
Imports `api`, `config` and the packages below them.
"""
