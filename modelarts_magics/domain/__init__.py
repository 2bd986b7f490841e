"""Values and rules of an instance and its auto-stop, without I/O.

Exports `models` (what an instance is), `planning` and `effects` (what a change writes and did),
`countdown`, `durations`, `description`, `clock`, and `browser_payloads` (the one serialiser for pages).
Imports `errors` and `messages` only; every other package builds on these types.
"""
