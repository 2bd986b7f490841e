"""Clients of the ModelArts APIs and IAM over HTTP, the only package that imports `httpcore` and `httpx`.

Exports `client.ApiClient` (authentication, retries, errors), the backends of both APIs (table in
`backend`) and `iam`. Imports `config` and the packages below it; `signing` imports nothing of ours.
"""
