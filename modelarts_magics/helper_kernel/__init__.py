"""Serve the server extension's requests from a kernel, where the Jupyter server lacks the extension.

Exports `handle_request`, which the page evaluates in a kernel of its own. May import `server` and `kernel`.
"""

from modelarts_magics.helper_kernel.requests import handle_request

__all__ = ["handle_request"]
