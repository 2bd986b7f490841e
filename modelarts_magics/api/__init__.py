"""Talking to the cloud: signing, transport, and one module for each API generation."""
