"""Find out what is working on this machine: one module per kind of source."""
