"""Notifications of the user: where they are sent, what they say, and their delivery by the daemon."""
