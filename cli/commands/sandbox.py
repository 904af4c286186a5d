"""`cancellist sandbox`: the command is the sandbox's own, so that `python -m sandbox` is the same."""

from cancellist.sandbox.command import sandbox

__all__ = ["sandbox"]
