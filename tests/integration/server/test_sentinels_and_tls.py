"""A master that sentinels name, and a server that is spoken to by TLS."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from redis import Redis as BlockingRedis

from cancellist.jobs.errors import (
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUnfitError,
    SettingsError,
)
from cancellist.jobs.ledger.server.connection import connect, translated
from cancellist.jobs.ledger.server.fitness import check
from tests.integration.server.conftest import (
    REDIS,
    Server,
    eventually,
    needs_redis,
    whole_text,
)
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def sentinel(serve, tmp_path: Path) -> Iterator[Callable[..., int]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(master: Server, *lines: str) -> int:
        port = free_port()
        file = tmp_path / f"sentinel{port}.conf"
        file.write_text(
            "\n".join(
                [
                    f"port {port}",
                    f"dir {tmp_path}",
                    f"sentinel monitor mymaster 127.0.0.1 {master.port} 1",
                    "sentinel down-after-milliseconds mymaster 500",
                    "sentinel failover-timeout mymaster 3000",
                    *lines,
                    "",
                ]
            )
        )
        processes.append(subprocess.Popen([REDIS, file, "--sentinel"], stdout=subprocess.DEVNULL))
        return port

    yield start
    for process in processes:
        process.kill()
        process.wait()


@needs_redis
async def test_the_master_is_found_by_its_sentinels_and_again_after_a_failover(serve, sentinel):
    master = serve(REDIS)
    replica = serve(REDIS, "--replicaof", f"127.0.0.1 {master.port}")
    port = sentinel(master)
    url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/mymaster/2"
    redis = await connect(url, wait_s=20, client_class=ArqRedis)
    assert isinstance(redis, ArqRedis)
    await redis.set("key", "value")
    assert master.command("INFO", "keyspace").keys() == {"db2"}
    assert (await check(redis)).run_id == master.command("INFO", "server")["run_id"]
    with BlockingRedis(port=port, decode_responses=True) as control:
        eventually(lambda: str(replica.port) in str(control.execute_command("SENTINEL REPLICAS", "mymaster")))
    os.kill(master.process.pid, signal.SIGKILL)
    master.process.wait()
    async with asyncio.timeout(40):
        while True:
            try:
                with translated():
                    await redis.set("key", "after")
                break
            except LedgerUnavailableError:
                continue
    assert (await check(redis)).run_id == replica.command("INFO", "server")["run_id"]
    await redis.aclose()


@pytest.mark.timed
@needs_redis
async def test_sentinels_are_asked_with_a_login_of_their_own(serve, sentinel):
    master = serve(REDIS, "--requirepass", "m4ster")
    port = sentinel(master, "sentinel auth-pass mymaster m4ster", "requirepass s3ntinel")
    base = f"redis+sentinel://:m4ster@127.0.0.1:{port}/mymaster"
    redis = await connect(f"{base}?sentinel_password=s3ntinel", wait_s=20)
    assert await redis.ping() is True
    await redis.aclose()
    for url in (base, f"{base}?sentinel_password=wr0ng"):
        async with asyncio.timeout(3):
            with pytest.raises(LedgerRefusedError, match="sentinel_password") as caught:
                await connect(url, wait_s=30)
        assert "wr0ng" not in whole_text(caught.value)
        assert "m4ster" not in whole_text(caught.value)
    with pytest.raises(LedgerUnavailableError, match="no sentinel"):
        await connect(f"redis+sentinel://127.0.0.1:{port}/other?sentinel_password=s3ntinel", wait_s=0)
    redis = await connect(f"redis://:s3ntinel@127.0.0.1:{port}")
    with pytest.raises(LedgerUnfitError, match="is a sentinel"):
        await check(redis)
    await redis.aclose()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate for localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", *name, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.mark.timed
@needs_redis
async def test_tls_is_verified(serve, certificate, tmp_path):
    certificate, key = certificate
    port = free_port()
    tls = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    serve(REDIS, "--tls-port", str(port), *tls)
    redis = await connect(f"rediss://localhost:{port}?ssl_ca_certs={certificate}")
    assert await redis.ping() is True
    await redis.aclose()
    redis = await connect(f"rediss://localhost:{port}?ssl_cert_reqs=none")
    await redis.aclose()
    for url in (f"rediss://localhost:{port}", f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"):
        async with asyncio.timeout(2):
            with pytest.raises(LedgerRefusedError, match="certificate that is not trusted"):
                await connect(url, wait_s=30)
    with pytest.raises(SettingsError, match=r"none\.pem"):
        await connect(f"rediss://localhost:{port}?ssl_ca_certs={tmp_path}/none.pem")
