"""Job ids: 12 characters that sort by time and are easy to read out and to type."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""
_EPOCH_MS = 1_577_836_800_000
_SERIAL_BITS = 19
SERIALS = 1 << _SERIAL_BITS


def job_id(at_ms: int, serial: int) -> str:
    """The id of a job: 41 bits of Unix milliseconds and 19 bits of serial number."""
    value = ((at_ms - _EPOCH_MS) << _SERIAL_BITS) | (serial % SERIALS)
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(55, -5, -5))
