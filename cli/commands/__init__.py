"""The commands: their arguments, options and help, one module for each.

These modules import little, so that `--help` is quick. What a command does is in the module of the same name in
`actions/`, which is imported when the command runs.
"""
