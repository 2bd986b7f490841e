"""Marks: points in time before the stop at which work is signalled, or a command is run."""
