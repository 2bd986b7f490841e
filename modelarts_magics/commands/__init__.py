"""The command words, shared by the kernel and the terminal: grammar, parser, help, views."""
