"""What a user may type: one module a command, and light, so that `--help` is quick.

What a command does is in `actions/`, in a module of the same name, and is imported as it runs.
"""
