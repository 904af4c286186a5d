"""Faults around workers. Each function injects one, lets it last, and ends it before it returns.

Its sleeps wait for nothing: they are how long the fault lasts, drawn from the seed.
"""

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from cancellist.jobs.ledger import control
from cancellist.jobs.ledger.drains import schedule
from tests.acceptance.faults.harness.proxy import Aim, Cut
from tests.acceptance.faults.harness.system import LEASE_S
from tests.acceptance.faults.harness.workers import Crew, steadily
from tests.support.servers import spawn, wait_for_answer
from tests.support.stage import Worker
from tests.support.waiting import until

CLAIMS_WITHIN_S = 10
"""How long to wait for a worker that holds claims, since another fault may stop all calls. Then any is killed."""
STRUCK_WITHIN_S = 4
Trouble = Callable[[Crew, random.Random], Awaitable[None]]

SCRIPTS = ("claim", "settle", "renew", "sweep", "flow", "release", "submit", "seal", "intake")
COMMANDS = ("EXEC", "HGET", "ZRANGEBYSCORE", "XREADGROUP", "PUBLISH", "PSETEX", "TIME", "SUBSCRIBE")
ERRORS = (
    "BUSY Redis is busy running a script.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOPERM this user has no permissions to run this command",
    "ERR max number of clients reached",
)


async def worker_killed(crew: Crew, rng: random.Random) -> None:
    """Kills a worker that holds claims, and measures how long they stay in its name."""
    worker = rng.choice(crew.workers)
    held, died = await _stopped_with_claims(crew, worker)
    worker.end(signal.SIGKILL)
    crew.replace(worker)
    await until(lambda: crew.claims_of(worker), lambda claims: not claims, 30)
    if held:
        crew.took_over(time.monotonic() - died)


async def _stopped_with_claims(crew: Crew, worker: Worker) -> tuple[bool, float]:
    """Stops (SIGSTOP) a worker while it holds claims, if it does; returns whether it did, and when it stopped."""
    looking_ends = time.monotonic() + CLAIMS_WITHIN_S
    while True:
        worker.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        if await crew.claims_of(worker):
            return True, stopped
        if stopped > looking_ends:
            return False, stopped
        worker.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.03)


async def worker_stopped(crew: Crew, rng: random.Random) -> None:
    """Freezes a worker for longer than its lease."""
    worker = rng.choice(crew.workers)
    worker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(LEASE_S + rng.uniform(0.5, 2.5))
    worker.process.send_signal(signal.SIGCONT)


async def workers_terminated(crew: Crew, rng: random.Random) -> None:
    """Sends workers several SIGTERMs in a row."""
    for _ in range(3):
        worker = rng.choice(crew.workers)
        for _ in range(rng.randint(1, 3)):
            if worker.process.poll() is None:
                worker.process.send_signal(rng.choice((signal.SIGTERM, signal.SIGINT)))
            await asyncio.sleep(rng.uniform(0, 0.1))
        crew.replace(worker)
        crew.leaves(worker)


async def clock_off(crew: Crew, rng: random.Random) -> None:
    """Runs one worker whose wall clock is an hour wrong."""
    worker = rng.choice(crew.workers)
    worker.process.send_signal(signal.SIGTERM)
    crew.replace(worker, extra=crew.rig.shifted_clock(rng.choice((3600.0, -3600.0))))
    crew.leaves(worker)


async def server_killed(crew: Crew, rng: random.Random) -> None:
    """Kills the server and restarts it on its append-only file."""
    crew.rig.server.kill()
    await asyncio.sleep(rng.uniform(0, 1.5))
    await asyncio.to_thread(crew.rig.server.restart)


async def server_away(crew: Crew, rng: random.Random) -> None:
    """Freezes the server."""
    crew.rig.server.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(rng.choice((1.0, 4.0, crew.away_s)))
    crew.rig.server.process.send_signal(signal.SIGCONT)


async def server_loads(crew: Crew, rng: random.Random) -> None:
    """Kills the server and makes it slow to load its data."""
    server = crew.rig.server
    server.kill()
    server.process = spawn([*server.command, "--key-load-delay", "1000"])
    await asyncio.sleep(rng.uniform(1, 3))
    await steadily(lambda: asyncio.to_thread(server.command_line, "CONFIG", "SET", "key-load-delay", 0))
    await asyncio.to_thread(wait_for_answer, server.path, server.process)


async def connections_cut(crew: Crew, rng: random.Random) -> None:
    """Cuts connections before, within and after replies, at random requests."""
    points = rng.sample(SCRIPTS + COMMANDS, len(SCRIPTS + COMMANDS))
    await _struck([crew.rig.proxy.aim(point, how) for point, how in zip(points, itertools.cycle(Cut), strict=False)])


async def errors_answered(crew: Crew, rng: random.Random) -> None:
    """Makes the server answer random requests with errors."""
    points = rng.sample(SCRIPTS + COMMANDS[:-1], len(SCRIPTS + COMMANDS[:-1]))
    await _struck([crew.rig.proxy.aim(point, rng.choice(ERRORS)) for point in points])


async def _struck(aims: Sequence[Aim]) -> None:
    """Waits until half of the strikes have happened, and one of each kind. Some commands are rare, so not for all."""
    ends = time.monotonic() + STRUCK_WITHIN_S
    while time.monotonic() < ends:
        left = {aim.how for aim in aims} - {aim.how for aim in aims if aim.hits}
        if sum(aim.hits for aim in aims) >= len(aims) / 2 and not left & set(Cut):
            return
        await asyncio.sleep(0.05)


async def all_cut(crew: Crew, rng: random.Random) -> None:
    """Cuts all connections to the server at once, repeatedly."""
    for _ in range(4):
        crew.rig.proxy.cut(reset=rng.random() < 0.5)
        await asyncio.sleep(rng.uniform(0, 0.4))


async def network_frozen(crew: Crew, rng: random.Random) -> None:
    """Holds all traffic to the server, then lets it through."""
    crew.rig.proxy.freeze()
    await asyncio.sleep(rng.choice((0.5, 2.0, crew.away_s)))
    crew.rig.proxy.thaw()


async def network_slow(crew: Crew, rng: random.Random) -> None:
    """Slows all traffic to the server."""
    crew.rig.proxy.slow(rng.uniform(0.01, 0.1), rng.choice((0.0, 200_000.0)))
    await asyncio.sleep(2)
    crew.rig.proxy.slow()


async def connections_refused(crew: Crew, rng: random.Random) -> None:
    """Refuses connections to the server."""
    crew.rig.proxy.refuse()
    await asyncio.sleep(rng.uniform(0.2, 4))
    crew.rig.proxy.accept()


async def server_busy(crew: Crew, rng: random.Random) -> None:
    """Blocks the server with a foreign script until that is killed."""
    server = crew.rig.server
    server.command_line("CONFIG", "SET", "busy-reply-threshold", 50)
    blocking = asyncio.create_task(asyncio.to_thread(_block, crew))
    await asyncio.sleep(rng.uniform(0.3, 2))
    server.command_line("SCRIPT", "KILL")
    await blocking


def _block(crew: Crew) -> None:
    try:
        crew.rig.server.command_line("EVAL", "while true do end", 0)
    except Exception as error:  # noqa: BLE001 - its death is the point
        assert "killed" in str(error), error  # noqa: PT017


async def server_full(crew: Crew, rng: random.Random) -> None:
    """Fills the server's memory."""
    crew.rig.server.command_line("CONFIG", "SET", "maxmemory", 1_000_000)
    await asyncio.sleep(rng.uniform(0.5, 2))
    crew.rig.server.command_line("CONFIG", "SET", "maxmemory", 0)


async def server_demoted(crew: Crew, rng: random.Random) -> None:
    """Makes the server a replica of a dead primary, then a primary again."""
    crew.rig.server.command_line("REPLICAOF", "127.0.0.1", 1)
    await asyncio.sleep(rng.uniform(0.2, 2))
    crew.rig.server.command_line("REPLICAOF", "NO", "ONE")


async def scripts_flushed(crew: Crew, rng: random.Random) -> None:
    """Flushes the server's scripts."""
    for _ in range(5):
        crew.rig.server.command_line("SCRIPT", "FLUSH")
        await asyncio.sleep(rng.uniform(0, 0.2))


async def password_changed(crew: Crew, rng: random.Random) -> None:
    """Changes the server's password for a while."""
    server = crew.rig.server
    server.command_line("ACL", "SETUSER", "default", "resetpass", ">another")
    crew.rig.proxy.cut()
    await asyncio.sleep(rng.uniform(0.2, 3))
    server.command_line("ACL", "SETUSER", "default", "nopass", login="another")


async def command_forbidden(crew: Crew, rng: random.Random) -> None:
    """Forbids a needed command for a while."""
    names = rng.choice((("-evalsha", "-eval"), ("-zadd",), ("-xadd",), ("-xreadgroup",), ("-psetex",), ("-publish",)))
    crew.rig.server.command_line("ACL", "SETUSER", "default", *names)
    await asyncio.sleep(rng.uniform(0.2, 3))
    crew.rig.server.command_line("ACL", "SETUSER", "default", "+@all")


async def platform_down(crew: Crew, rng: random.Random) -> None:
    """Refuses connections to the platform."""
    crew.rig.gateway.refuse()
    await asyncio.sleep(rng.uniform(0.2, 3))
    crew.rig.gateway.accept()


async def platform_frozen(crew: Crew, rng: random.Random) -> None:
    """Freezes the platform."""
    crew.rig.platform.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(rng.uniform(0.5, 3.5))
    crew.rig.platform.process.send_signal(signal.SIGCONT)


async def platform_resets(crew: Crew, rng: random.Random) -> None:
    """Resets all connections to the platform, repeatedly."""
    for _ in range(6):
        crew.rig.gateway.cut(reset=True)
        await asyncio.sleep(rng.uniform(0, 0.4))


async def platform_slow(crew: Crew, rng: random.Random) -> None:
    """Slows all traffic to the platform."""
    crew.rig.gateway.slow(rng.uniform(0.05, 0.8))
    await asyncio.sleep(2)
    crew.rig.gateway.slow()


async def paused(crew: Crew, rng: random.Random) -> None:
    """Pauses and resumes the account."""
    await steadily(lambda: control.pause_account(crew.ledger, "default"))
    await asyncio.sleep(rng.uniform(0.1, 1))
    drains = await steadily(lambda: control.resume_account(crew.ledger, "default", 100))
    await steadily(lambda: schedule(crew.ledger, "default", drains))


def name_of(trouble: Trouble) -> str:
    """Returns the name of a fault for tables."""
    return getattr(trouble, "__name__", str(trouble)).replace("_", " ")
