"""Serve the instance to JupyterLab pages: a Jupyter server extension that polls the API and answers REST requests.

Exports nothing; Jupyter loads `extension`. May import `commands`, `doctor`, `session`, `api`, `config` and
`domain`; Jupyter and tornado are imported by `extension` and `handlers` only, so that `helper_kernel` can use
the rest.
"""
