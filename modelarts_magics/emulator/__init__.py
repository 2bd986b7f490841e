"""Local emulator of the ModelArts APIs `demanager` and `notebooks`, for the demo and the tests.

Start it in this process with `local.LocalEmulator`, or as a program with `__main__.main`; it listens on
127.0.0.1 with fake credentials. It needs tornado (extra `demo`) and imports no other package of this
project, so that it checks the client independently. Requests that the published API pages refuse are
refused with the published code; each module says what it does where the pages are silent.
"""
