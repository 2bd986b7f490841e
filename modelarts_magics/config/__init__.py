"""Settings and credentials: where each value comes from, and in which order the sources are tried.

Exports `settings.Settings` and `credential_chain.CredentialChain`; `setting_table` lists the settings.
Imports `domain`, `errors` and `messages`. Its only network connection is to the metadata service, and
only if `MODELARTS_METADATA` is set.
"""
