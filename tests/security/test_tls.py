"""Certificates are verified, of the server and of the platform: a worker talks to no impostor."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.commands import Desk
from tests.support.ports import free_port
from tests.support.servers import running
from tests.support.stage import platform

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with"),
]


@dataclass(frozen=True)
class Certificates:
    """An authority that nobody knows, and a certificate of it for this machine."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    made = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=nobody", "-keyout", folder / "ca.key", "-out", made.authority],
        [*new, "-subj", "/CN=localhost", "-keyout", made.key, "-out", folder / "request"],
        ["openssl", "x509", "-req", "-in", folder / "request", "-CA", made.authority, "-CAkey", folder / "ca.key",
         "-CAcreateserial", "-days", "2", "-extfile", names, "-out", made.certificate],
    ):  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    return made


@contextlib.contextmanager
def behind_tls(port: int, certificates: Certificates) -> Iterator[int]:
    """The same server over TLS, at the port that this answers."""
    command = [sys.executable, str(ROOT / "tests/support/terminator.py"), str(port), str(certificates.certificate),
               str(certificates.key)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
def desk(tmp_path: Path, certificates: Certificates) -> Iterator[Desk]:
    """A platform behind TLS, and a Valkey server that is not."""
    with (
        running("valkey", tmp_path) as server,
        platform(tmp_path, api_key="the-right-key") as world,
        behind_tls(port_of(world.url), certificates) as port,
    ):
        settings = {"redis_url": server.url, "api_url": f"https://127.0.0.1:{port}", "api_key": "the-right-key"}
        yield Desk(tmp_path, world, server.url, settings)


def checks(document) -> dict[str, str]:
    return {check["check"]: check["verdict"] for check in document["checks"]}


def test_a_platform_whose_authority_is_unknown_is_called_by_nobody(desk: Desk, tmp_path: Path) -> None:
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(3))).out.strip()
    with desk.started("worker", "--json") as process:
        line = ""
        while "CERTIFICATE_VERIFY_FAILED" not in line:
            assert process.stderr
            line = process.stderr.readline()
            assert line
    assert desk.platform.calls() == []
    assert desk.ok("status", job, "--json").document["outcomes"] == {}
    done = desk.run("doctor", "--json")
    assert done.status == 1
    assert checks(done.document)["key default"] == "failed"
    assert "not trusted" in done.out
    assert "SSL_CERT_FILE" in done.out


def test_a_platform_whose_authority_is_given_is_called(desk: Desk, certificates, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    job = desk.ok("enqueue", "-", text="\n".join(desk.fresh(3))).out.strip()
    desk.drain()
    assert desk.ok("status", job, "--json").document["outcomes"] == {"cancelled": 3}
    assert checks(desk.run("doctor", "--json").document)["key default"] == "ok"


def test_a_server_whose_authority_is_unknown_is_refused_and_taken_with_it(
    tmp_path: Path, certificates: Certificates
) -> None:
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", str(certificates.certificate),
               "--tls-key-file", str(certificates.key), "--tls-auth-clients", "no")  # fmt: skip
    with running("redis", tmp_path, *options) as server, platform(tmp_path) as world:
        url = f"rediss://127.0.0.1:{port}"
        plain = Desk(tmp_path, world, server.url, {"redis_url": f"redis://127.0.0.1:{port}"}).run("jobs")
        assert plain.status == 1
        assert "perhaps because it speaks TLS (then use rediss://)" in plain.err
        desk = Desk(tmp_path, world, server.url, {"redis_url": url, "api_url": world.url})
        refused = desk.run("worker", "--burst")
        assert refused.status == 1
        assert "certificate that is not trusted" in refused.err
        assert "ssl_ca_certs" in refused.err
        examined = desk.run("doctor", "--json")
        assert (examined.status, checks(examined.document)["server"]) == (1, "failed")

        trusting = f"{url}?ssl_ca_certs={certificates.authority}"
        desk.settings["redis_url"] = trusting
        desk.ok("enqueue", "-", text="\n".join(desk.fresh(3)))
        desk.drain()
        found = checks(desk.ok("doctor", "--json").document)
        assert (found["server"], found["tls"]) == ("ok", "ok")
        careless = checks(desk.ok("doctor", "--json", redis_url=f"{url}?ssl_cert_reqs=none").document)
        assert careless["tls"] == "warning"
