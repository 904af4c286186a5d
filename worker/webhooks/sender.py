"""Sends one delivery: one request, no redirect, no proxy, a bound on its time, and nothing read but the head."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from cancellist.jobs.webhooks.addresses import Allowed
from cancellist.jobs.webhooks.endpoint import refused_address
from cancellist.worker.platform.retry_after import wait_s
from cancellist.worker.webhooks.resolver import AddressRefusedError, CheckedResolver, ThreadResolver

TIMEOUT_S: Final = 15.0
AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What a receiver has answered.

    Attributes:
        status: the HTTP status; None without an answer.
        why: without an answer, why there is none.
        retry_after_s: the pause that it asks for.
    """

    status: int | None = None
    why: str = ""
    retry_after_s: float | None = None


class Sender:
    """The connections to receivers."""

    def __init__(
        self, allowed: Allowed, *, timeout_s: float = TIMEOUT_S, resolver: AbstractResolver | None = None
    ) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._resolver = CheckedResolver(allowed, resolver or ThreadResolver())
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Sends one request. What goes wrong is told in a few words, without the URL."""
        if refused := refused_address(url, self._allowed):
            return ReceiverAnswer(why=refused)
        try:
            return await self._post(URL(url, encoded=True), headers, body)
        except AddressRefusedError as error:
            return ReceiverAnswer(why=str(error))
        except TimeoutError:
            return ReceiverAnswer(why=f"no answer within {self._timeout_s:g} s")
        except aiohttp.InvalidURL:
            return ReceiverAnswer(why="the URL cannot be used")
        except aiohttp.ClientConnectorDNSError:
            return ReceiverAnswer(why="its name does not resolve")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            return ReceiverAnswer(why=f"TLS: {_of_tls(error)}")
        except aiohttp.ClientConnectorError as error:
            return ReceiverAnswer(why=f"no connection: {error.os_error.strerror or 'refused'}")
        except (aiohttp.ClientError, OSError):
            return ReceiverAnswer(why="the connection broke, or what came is no HTTP")
        except ValueError:  # after those above: a certificate's error is one too
            return ReceiverAnswer(why="the URL cannot be used")

    async def close(self) -> None:
        """Ends every connection."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _post(self, url: URL, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver, use_dns_cache=False, force_close=True, limit=AT_ONCE, limit_per_host=0
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s), skip_auto_headers=("Accept-Encoding",),
            )  # fmt: skip
        sent = {**headers, "Content-Type": "application/json", "User-Agent": "cancellist-webhooks"}
        async with self._session.post(url, data=body, headers=sent, allow_redirects=False) as answer:
            asked = answer.headers.getall("Retry-After", [])
            answer.close()
            return ReceiverAnswer(answer.status, retry_after_s=wait_s(asked, time.time()))


def _of_tls(error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed")
