"""What keeps a browser from doing with an answer what nobody meant."""

from typing import Final

SAFE_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
}
"""Headers of every answer that does not set its own."""
