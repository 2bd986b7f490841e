"""Checks of settings, credentials, connection, clock and installation, with a hint for each problem.

`report.run_checks` returns a `DoctorReport`. Imports `session` and the layers below; `jupyter_server` and
`lab_extension` need no session, so that the first cell after a start does not wait for its imports.
"""
