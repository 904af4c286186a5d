"""A local Consignments platform over real HTTP.

It shares no code with what calls it, so that agreeing with it proves something.

`sandbox.server.running` starts one inside an event loop, `sandbox.server.serve` as a process;
`sandbox.options.SandboxOptions` says what it is like.
"""
