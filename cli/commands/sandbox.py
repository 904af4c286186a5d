"""`cancellist sandbox`: the same command as `python -m cancellist.sandbox`."""

from cancellist.sandbox.command import sandbox

__all__ = ["sandbox"]
