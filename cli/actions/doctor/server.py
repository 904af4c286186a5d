"""Checks of the server: one connection, then one check after the other."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from cancellist.cli.actions.doctor import machine
from cancellist.cli.terminal import say
from cancellist.config.settings import Settings, is_loopback
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, skipped, warning
from cancellist.jobs.errors import CancellistError, LedgerRefusedError
from cancellist.jobs.ledger.checks import acl, probe_script, server
from cancellist.jobs.ledger.checks import ledger as ledger_checks
from cancellist.jobs.ledger.checks.probe_script import Probed
from cancellist.jobs.ledger.checks.server import ServerInfo
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.address import Address, TcpAddress, Tls, UnixAddress, parse
from cancellist.jobs.ledger.server.connection import connect, redacted
from cancellist.jobs.ledger.server.embedded import EmbeddedServer
from cancellist.jobs.ledger.submitting.admission import reserved
from cancellist.jobs.roles import Role

START_S = 30.0
REACH_S = 15.0
CHECK_S = 10.0
CHECKS = (
    "probe", "version", "role", "persistence", "eviction", "memory", "clock", "latency", "permissions", "scripts",
    "format", "keys", "workers", "intake", "rejected", "consumers",
)  # fmt: skip


async def examine(settings: Settings, role: Role, accounts: Sequence[str]) -> list[CheckResult]:
    """Runs all checks of the server. If it cannot be reached, one check says why and the others are skipped."""
    own = None if settings.redis_url else EmbeddedServer(settings.data_dir, fsync=settings.fsync, on_wait=say)
    disk = machine.disk(settings.data_dir, embedded=own is not None)
    try:
        url = settings.redis_url.get_secret_value() if settings.redis_url else await _started(own)
        address = parse(url)
        async with asyncio.timeout(REACH_S):
            redis: Any = await connect(url, on_wait=say)
    except TimeoutError:
        where = redacted(settings.redis_url.get_secret_value()) if settings.redis_url else "the embedded server"
        unready = failed("server", f"{where} is not ready in time", "no command works",
                         "wait until it has loaded its data, or see its log")  # fmt: skip
        return [unready, *_unseen(), disk]
    except CancellistError as error:
        found, _, mend = str(error).rpartition(": ")
        return [failed("server", found or mend, "no command works", mend), *_unseen(), disk]
    try:
        reached = ok("server", f"{address.shown} answers" + (" (embedded)" if own else ""))
        ledger = Ledger(redis, settings.namespace)
        tried_first, probed = await _probed(ledger, role)
        told, words = await _told(ledger, probed)
        tried = await _tried(ledger, role, accounts)
        socket = await _bounded("socket", lambda: _socket(address if own else None, words))
        return [reached, encryption(address), tried_first, *told, *tried, disk, socket]
    finally:
        await redis.aclose()
        if own:
            await asyncio.to_thread(own.close)


def encryption(address: Address) -> CheckResult:
    """Checks that the connection to the server is encrypted, or stays on this machine."""
    match address:
        case UnixAddress():
            return ok("tls", "a socket on this machine")
        case TcpAddress(tls=Tls(verified=True, check_hostname=True)):
            return ok("tls", "TLS, the server's certificate is verified")
        case TcpAddress(tls=Tls()):
            return warning("tls", "TLS, but its certificate is not verified in full", "another can pose as the server",
                           "remove ssl_cert_reqs and ssl_check_hostname from the URL; give ssl_ca_certs")  # fmt: skip
        case TcpAddress(host=host) if is_loopback(host):
            return ok("tls", "none, on this machine")
        case _:
            return warning("tls", "none", "others on the network can read the password and every reference",
                           "use rediss:// unless the network is private")  # fmt: skip


async def _probed(ledger: Ledger, role: Role) -> tuple[CheckResult, Probed | None]:
    """Runs a script that touches keys as the ledger's scripts do. A reader runs no scripts, so it is skipped."""
    probed: Probed | None = None

    async def try_it() -> CheckResult:
        nonlocal probed
        probed = await probe_script.probe(ledger)
        return probe_script.judged(probed)

    if role is Role.READER:
        return skipped(probe_script.CHECK, f"a {role} runs no scripts"), None
    return await _bounded(probe_script.CHECK, try_it), probed


async def _told(ledger: Ledger, probed: Probed | None) -> tuple[list[CheckResult], ServerInfo | None]:
    """Runs the checks that need only the server's INFO and configuration."""
    words: ServerInfo | None = None

    async def ask() -> CheckResult:
        nonlocal words
        words = await server.look(ledger.redis)
        return server.version(words, probed)

    version = await _bounded("version", ask)
    if words is None:
        return [version], None
    judges = (partial(server.role, probed=probed), server.persistence, server.eviction, server.clock)
    told = words

    async def weigh() -> CheckResult:
        return server.memory(told, await reserved(ledger))

    return [version, *(judge(words) for judge in judges), await _bounded("memory", weigh)], words


async def _tried(ledger: Ledger, role: Role, accounts: Sequence[str]) -> list[CheckResult]:
    """Runs the checks that try commands or read the ledger."""
    checks: dict[str, Callable[[], Awaitable[CheckResult]]] = {
        "latency": lambda: server.latency(ledger.redis),
        "permissions": lambda: acl.permitted(ledger.redis, ledger.keys, role),
        "scripts": lambda: server.scripts(ledger.redis),
        "format": lambda: ledger_checks.written_format(ledger),
        "keys": lambda: ledger_checks.kinds(ledger, accounts[0]),
        "workers": lambda: ledger_checks.workers(ledger),
        "intake": lambda: ledger_checks.intake(ledger),
        "rejected": lambda: ledger_checks.rejected(ledger),
        "consumers": lambda: ledger_checks.consumers(ledger),
        **{f"account {name}": partial(ledger_checks.account, ledger, name) for name in accounts},
    }
    return [await _bounded(name, check) for name, check in checks.items()]


async def _bounded(name: str, work: Callable[[], Awaitable[CheckResult]]) -> CheckResult:
    """Runs a check within `CHECK_S`. An error or a timeout becomes a failed check, so that the others still run."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await work()
    except TimeoutError:
        return failed(
            name, f"no answer within {CHECK_S:.0f} s", "the server is stuck or overloaded", "see the server's log"
        )
    except LedgerRefusedError as error:
        return skipped(name, str(error))
    except CancellistError as error:
        found, _, mend = str(error).rpartition(": ")
        return failed(name, found, "it could not be checked", mend)
    except Exception as error:  # noqa: BLE001 - what is strange is a finding too; its text may hold anything
        return failed(name, f"it could not be checked ({type(error).__name__})", "the server gave an unexpected answer",
                      "is it a Redis or Valkey server, and is this namespace cancellist's?")  # fmt: skip


async def _started(own: EmbeddedServer | None) -> str:
    """Starts the embedded server, or connects to it, in a daemon thread; returns its URL.

    Raises:
        LedgerUnavailableError: the server cannot be started.
        TimeoutError: it does not start within `START_S`.
    """
    if own is None:
        raise TypeError(own)
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[str] = loop.create_future()

    def tell(url: str | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error:
            outcome.set_exception(error)
        else:
            outcome.set_result(url or "")

    def start() -> None:
        url: str | None = None
        failure: BaseException | None = None
        try:
            url = own.start()
        except CancellistError as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, url, failure)

    threading.Thread(target=start, name="starting the embedded server", daemon=True).start()
    async with asyncio.timeout(START_S):
        return await outcome


async def _socket(address: Address | None, words: ServerInfo | None) -> CheckResult:
    path = Path(address.path) if isinstance(address, UnixAddress) else None
    return machine.socket(path, words.info.get("tcp_port") if words else None)


def _unseen() -> list[CheckResult]:
    return [skipped(name, "the server is not reached") for name in CHECKS]
