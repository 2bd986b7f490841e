"""Keep the instance running while work runs: guards, and the daemon that renews the auto-stop for them.

Kernel, server and terminal use `modelarts_magics.keepalive.guards` and the state file of the daemon; only the
daemon's own process runs its loop.
"""
