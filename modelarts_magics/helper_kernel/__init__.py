"""Serve the server extension's requests from a kernel, where the Jupyter server lacks the extension.

The page executes `requests.handle` in a kernel of its own. Built on `server` and `kernel`.
"""
