"""A local Huawei Cloud ModelArts: both notebook APIs over real HTTP, for the demo and the tests.

One server answers for both generations, `demanager` and `notebooks`, with one made-up project and
one instance of each. Everything is bound to 127.0.0.1, every credential is fake and looks it, and
every answer carries `X-Emulator: modelarts-magics`, so that a client can say "DEMO".

It means to be at least as strict as the cloud: what the published pages refuse is refused here,
with their code. Where the pages are silent the module at hand says what was chosen.

Time. The server has one clock, and everything it says comes from that clock: the `Date` header,
every timestamp, every remaining time, the age allowed to a signature. With `--time-scale 60` this
clock, not the durations, runs 60 times faster than real time, from the moment the server starts:
an hour stays 3600 s on the wire (a client that checks the minimum of 3600 s works unchanged) and
passes in a real minute. A client that takes its offset from the `Date` header, as it must against
the real cloud, is right again at each answer; between two answers its countdown runs at the real
rate and then jumps. A front end that wants to count smoothly may read the factor from the header
`X-Emulator-Time-Scale`, which is sent only when the factor is not 1. A signature older than 15
minutes *of the server's clock* is refused, so under a scale of 60 a client that was silent for 15 s
has to correct its clock from the refusal's `Date` and sign once more, as after any clock fault.
"""
