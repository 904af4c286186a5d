"""What `cancellist serve` does."""

import asyncio
import os
import secrets
import signal
import ssl
from dataclasses import dataclass, replace
from typing import Final

import structlog
import uvloop

from cancellist.api.context import Context
from cancellist.api.options import AccountOptions, ApiOptions, Limits, Proxies, WebhookOptions
from cancellist.api.serving.server import ApiServer, Listening
from cancellist.cli import session
from cancellist.cli.actions.accounts import configured, facts_of
from cancellist.cli.actions.receipt import signer_of
from cancellist.cli.terminal import emit, say_now
from cancellist.config import logs
from cancellist.config.loading import load
from cancellist.config.settings import AccountSettings, Settings, is_loopback, log_format
from cancellist.jobs.access import ALL, Token, digest_of
from cancellist.jobs.errors import CancellistError, SettingsError
from cancellist.jobs.ledger.account_status import Configured
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.parsing.patterns import ReferencePattern

log = structlog.get_logger()

_OWN: Final = "local"
"""The name of the token that a process makes for itself."""


class ServeAddressError(CancellistError):
    """The address cannot be had."""

    code = "cannot_listen"


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says of where to listen."""

    host: str | None
    port: int | None
    certificate: str | None
    key: str | None


def run(where: Where, *, as_json: bool) -> None:
    """Runs the API until it is told to end.

    Raises:
        SettingsError: a setting is wrong, or tokens are missing.
        CannotListenError: the address cannot be had.
    """
    logs.guard()
    settings = load()
    logs.configure(log_format(settings), settings.log_level)
    host = where.host or settings.serve_host
    port = settings.serve_port if where.port is None else where.port
    listening = Listening(host, port, where.certificate, where.key)
    _check_tls(listening)
    uvloop.run(_serve(settings, listening, as_json=as_json))


def _check_tls(listening: Listening) -> None:
    """Looks at the files of TLS before anything is begun.

    Raises:
        SettingsError: they cannot be used.
    """
    if listening.certificate is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(listening.certificate, listening.key, password=lambda: "")
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise SettingsError(
            f"the certificate or its key cannot be used: {reason}",
            hint="give both in PEM, the key without a password, to --tls-cert and --tls-key",
        ) from None


async def _serve(settings: Settings, listening: Listening, *, as_json: bool) -> None:
    options = options_of(settings)
    own = None
    if not options.tokens and options.proxies.user_header is None:
        own = _own_token(listening.host)
        options = replace(options, tokens=(Token(_OWN, ALL, digest_of(own)),), printed=_OWN)
    async with session.ledger_of(settings) as opened:
        server = ApiServer(Context(opened, options), listening)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` asks
                loop.add_signal_handler(number, server.end)

        def announce(url: str) -> None:
            if own:
                say_now(f"cancellist: no CANCELLIST_API_TOKENS is set: sign in at {url}/?token={own}")
            log.info("serving", url=url)
            if as_json:
                emit({"url": url, "pid": os.getpid()})

        try:
            await server.run_until_ended(announce)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ServeAddressError(
                f"cannot listen on {listening.host}:{listening.port}: {reason}", hint="give another --port, or 0"
            ) from None
        log.info("served")


def _own_token(host: str) -> str:
    """A token for this process alone.

    Raises:
        SettingsError: others than this machine could come.
    """
    if not is_loopback(host):
        raise SettingsError(
            f"CANCELLIST_API_TOKENS is not set, and {host} is open to others than this machine",
            hint="make a token with `cancellist token NAME --role read`, or serve on 127.0.0.1",
        )
    return secrets.token_urlsafe(32)


def _account_options(facts: Configured, own: AccountSettings) -> AccountOptions:
    pattern = ReferencePattern(own.reference_pattern)
    return AccountOptions(facts, pattern, own.safeguards, own.plan_keep, own.plan_read_all)


def options_of(settings: Settings) -> ApiOptions:
    """What the settings say of the API."""
    facts = configured(settings)
    accounts = {name: _account_options(facts[name], settings.of(name)) for name in settings.account_names}
    return ApiOptions(
        tokens=settings.tokens,
        accounts=accounts,
        common=_account_options(facts_of(settings.of("")), settings.of("")),
        max_invalid=parse_limit(settings.max_invalid),
        idempotency_keep_s=settings.idempotency_keep,
        limits=Limits(
            max_body=settings.serve_max_body,
            max_json=settings.serve_max_json,
            max_rows=settings.serve_max_rows,
            max_wait_s=settings.serve_max_wait,
            max_connections=settings.serve_max_connections,
            rate=settings.serve_rate,
            silence_s=settings.serve_body_wait,
        ),
        results_keep_s=settings.results_keep,
        jobs_keep_s=settings.jobs_keep,
        data_dir=settings.data_dir,
        proxies=Proxies(
            prefix=settings.serve_prefix or "",
            trusted=settings.trusted_proxies,
            user_header=settings.serve_user_header,
            user_roles=settings.user_roles,
        ),
        webhooks=WebhookOptions(settings.webhook_keys, settings.webhook_allowed),
        signer=signer_of(settings),
    )
