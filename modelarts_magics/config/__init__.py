"""Settings and credentials: where each value comes from, and in which order the sources are tried.

Imports `domain`, `errors` and `messages`; opens no network connection except to the metadata service.
"""
