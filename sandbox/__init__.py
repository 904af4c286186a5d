"""A local Consignments platform over real HTTP.

It shares no code with what calls it, so that agreeing with it proves something.

`cancellist.sandbox.server.running` starts one inside an event loop, `cancellist.sandbox.server.serve` as a process;
`cancellist.sandbox.options.SandboxOptions` says what it is like.
"""
