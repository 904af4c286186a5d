# Made by scripts/generate_sync.py from _async/test_trouble.py: change that one, and run the script.

"""What a consumer does when the server, the stream or the group is not as it was."""

import re
import signal
import threading

import pytest

from cancellist_client import (
    ApiError,
    AuthError,
    Client,
    InputError,
    JobTimeout,
    ServerUnavailable,
    TransportError,
    UnsupportedError,
)
from cancellist_client._sync.streams import StreamsTransport
from cancellist_client.retrying import Backoff

STREAM = "cancellist:results"


def drained(client: Client, **options) -> list[str]:
    return [result.reference for result in client.consume("billing", consumer="one", wait=0.3, **options)]


def test_a_server_that_was_killed_is_gone_on_with(client: Client, server, writer) -> None:
    writer.write(20)
    seen: list[str] = []
    for result in client.consume("billing", consumer="one", batch=7, wait=0.3):
        seen.append(result.reference)
        if len(seen) in {3, 7, 15}:
            server.kill()
            server.restart()
    assert list(dict.fromkeys(seen)) == writer.written
    assert len(seen) <= len(writer.written) + 3  # one that was dealt with, and could not be acknowledged, comes again


def test_a_consumer_that_waits_goes_on_when_the_server_is_back(client: Client, server, writer) -> None:
    writer.write(1)
    seen: list[str] = []

    def trouble() -> None:
        server.kill()
        server.restart()
        writer.write(1)

    thread = threading.Timer(0.3, trouble)
    for result in client.consume("billing", consumer="one", wait=20):
        seen.append(result.reference)
        if len(seen) == 1:
            thread.start()
        elif len(seen) == 2:
            break
    thread.join(10)
    assert seen == writer.written


def test_a_group_that_was_removed_is_made_anew(client: Client, server, writer) -> None:
    writer.write(6)
    seen: list[str] = []
    for result in client.consume("billing", consumer="one", batch=2, wait=0.3):
        seen.append(result.reference)
        if len(seen) == 2:
            server.command_line("XGROUP", "DESTROY", STREAM, "billing")
    assert seen[:2] == writer.written[:2]
    assert seen[2:] == writer.written  # the new group knows nothing of what the old one had read


def test_a_stream_that_was_removed_is_made_anew(client: Client, server, writer) -> None:
    writer.write(2)
    seen: list[str] = []
    for result in client.consume("billing", consumer="one", wait=0.3):
        seen.append(result.reference)
        if len(seen) == 2:
            server.command_line("DEL", STREAM)
            writer.write(2)
    assert seen == writer.written


def test_what_was_trimmed_meanwhile_is_passed_over(client: Client, server, writer) -> None:
    writer.write(5)
    for _ in client.consume("billing", consumer="one", batch=3, wait=0.3):
        break
    server.command_line("XTRIM", STREAM, "MAXLEN", 4)
    assert drained(client) == writer.written[1:]
    assert server.command_line("XPENDING", STREAM, "billing")["pending"] == 0


def test_what_is_behind_much_that_was_trimmed_comes(client: Client, server, writer) -> None:
    writer.write(30)
    server.command_line("XGROUP", "CREATE", STREAM, "billing", 0)
    server.command_line("XREADGROUP", "GROUP", "billing", "one", "COUNT", 28, "STREAMS", STREAM, ">")
    server.command_line("XTRIM", STREAM, "MAXLEN", 3)
    assert drained(client, batch=4) == writer.written[27:]
    assert server.command_line("XPENDING", STREAM, "billing")["pending"] == 0


def test_what_a_dead_consumer_holds_behind_much_of_a_living_one_is_taken_over(client: Client, server, writer) -> None:
    writer.write(60)
    server.command_line("XGROUP", "CREATE", STREAM, "billing", 0)
    server.command_line("XREADGROUP", "GROUP", "billing", "living", "COUNT", 55, "STREAMS", STREAM, ">")
    server.command_line("XREADGROUP", "GROUP", "billing", "dead", "STREAMS", STREAM, ">")
    dead = [entry for entry, _ in server.command_line("XRANGE", STREAM, "-", "+")][55:]
    server.command_line("XCLAIM", STREAM, "billing", "dead", 0, *dead, "IDLE", 99_000, "JUSTID")
    assert drained(client, batch=1, take_over_after=90) == writer.written[55:]


def test_a_group_that_was_removed_under_a_slow_body_is_made_anew(client: Client, server, writer) -> None:
    writer.write(3)
    seen: list[str] = []
    for result in client.consume("billing", consumer="one", take_over_after=0.001, wait=0.3):
        seen.append(result.reference)
        if len(seen) == 1:
            server.command_line("XGROUP", "DESTROY", STREAM, "billing")
    assert seen == [*writer.written[:1], *writer.written]


def test_what_a_lost_reply_held_comes_before_what_is_new(client: Client, server, writer) -> None:
    writer.write(4)
    server.command_line("XGROUP", "CREATE", STREAM, "billing", 0)
    server.command_line("XREADGROUP", "GROUP", "billing", "one", "COUNT", 3, "STREAMS", STREAM, ">")
    assert drained(client, batch=2) == writer.written


def test_a_name_of_this_process_alone_leaves_the_group_with_it(client: Client, server, writer) -> None:
    writer.write(2)
    for _ in client.consume("billing", wait=0.1):
        break
    assert server.command_line("XPENDING", STREAM, "billing")["pending"] == 2
    assert [result.reference for result in client.consume("billing", wait=0.1)] == writer.written
    assert server.command_line("XINFO", "CONSUMERS", STREAM, "billing") == []
    writer.write(1)
    drained(client)
    assert len(server.command_line("XINFO", "CONSUMERS", STREAM, "billing")) == 1


def test_an_entry_that_is_no_result_is_told(client: Client, server) -> None:
    server.command_line("XADD", STREAM, "*", "reference", "EC-1")
    client._backoff = Backoff(retries=0)
    with pytest.raises(TransportError, match="no result"):
        drained(client)


def test_a_key_that_is_no_stream_is_told(client: Client, server) -> None:
    server.command_line("SET", STREAM, "x")
    server.command_line("SET", "cancellist:intake", "x")
    with pytest.raises(ApiError, match="WRONGTYPE"):
        drained(client)
    with pytest.raises(ApiError, match="WRONGTYPE"):
        client.submit(["EC-000-05D-1NS"])


def test_a_wrong_password_or_a_missing_right_is_told(server) -> None:
    server.command_line("ACL", "SETUSER", "reader", "reset", "on", ">right", "+ping")
    for password in ("right", "wrong"):
        with Client(f"unix://reader:{password}@{server.path}") as client:
            with pytest.raises(AuthError) as caught:
                client.submit(["EC-000-05D-1NS"])
            assert password not in str(caught.value)


def test_the_documented_rights_are_enough(server, writer) -> None:
    server.command_line("ACL", "SETUSER", "intake", "reset", "on", ">p", "+ping", "(+xadd %W~cancellist:intake)")
    rights = "(+xreadgroup +xack +xautoclaim +xclaim +xpending +xgroup|create ~cancellist:results)"
    server.command_line("ACL", "SETUSER", "reader", "reset", "on", ">p", "+ping", rights)
    writer.write(3)
    with Client(f"unix://intake:p@{server.path}") as client:
        assert (client.submit(["EC-000-05D-1NS"])).entry
    with Client(f"unix://reader:p@{server.path}") as client:
        assert drained(client) == writer.written


def test_a_server_that_hangs_is_given_up(server) -> None:
    with Client(server.url, timeout=0.3, retries=1) as client:
        client.submit(["EC-000-05D-1NS"])
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(TransportError):
                client.submit(["EC-000-05D-1NS"])
            with pytest.raises(TransportError):
                drained(client)
        finally:
            server.process.send_signal(signal.SIGCONT)
        client.submit(["EC-000-05D-1NS"])


def test_a_full_server_is_told(client: Client, server) -> None:
    client._transport._backoff = Backoff(retries=0)
    server.command_line("CONFIG", "SET", "maxmemory", 1)
    try:
        with pytest.raises(ServerUnavailable):
            client.submit(["EC-000-05D-1NS"])
    finally:
        server.command_line("CONFIG", "SET", "maxmemory", 0)


def test_the_fields_of_an_entry_are_those_of_the_contract(client: Client, server) -> None:
    job = client.submit(
        ["EC-1", "EC-2"], reason="strike", requested_by="shop", priority="bulk", deadline="+2h",
        start_at="2036-01-01T00:00:00Z", account="north", idempotency_key="order-4711",
    )  # fmt: skip
    ((entry, fields),) = server.command_line("XRANGE", "cancellist:intake", "-", "+")
    assert entry == job.entry
    assert fields == {
        "references": '["EC-1", "EC-2"]', "reason": "strike", "requested_by": "shop", "priority": "bulk",
        "deadline": "+2h", "start_at": "2036-01-01T00:00:00Z", "account": "north", "idempotency_key": "order-4711",
        "reply_to": fields["reply_to"],
    }  # fmt: skip
    assert re.fullmatch(r"of\.[A-Za-z0-9._-]{1,61}", fields["reply_to"])


def test_where_no_answer_is_wanted_none_is_asked_for(server) -> None:
    with Client(server.url, reply_to="") as client:
        job = client.submit(["EC-1"])
        with pytest.raises(UnsupportedError, match="reply_to"):
            job.identify(0)
    ((_, fields),) = server.command_line("XRANGE", "cancellist:intake", "-", "+")
    assert set(fields) == {"references", "idempotency_key"}
    with pytest.raises(InputError, match="reply_to"):
        Client(server.url, reply_to="my shop")
    with pytest.raises(InputError, match="reply_to"):
        Client("http://127.0.0.1:1", reply_to="shop")


def test_an_answer_is_found_among_those_of_others_and_waited_for_no_longer_than_asked(server) -> None:
    with Client(server.url, reply_to="shop") as client:
        job = client.submit(["EC-1"])
        with pytest.raises(JobTimeout, match="no worker") as caught:
            job.identify(0.05)
        assert caught.value.job is job
        for entry in (*(f"1-{n}" for n in range(1500)), job.entry):
            server.command_line("XADD", "cancellist:replies:shop", "*", "entry", entry, "job", f"of {entry}")
        assert job.identify(5) == f"of {job.entry}"
        server.command_line("DEL", "cancellist:replies:shop")
        assert job.identify(0) == job.id


def test_an_answer_that_comes_later_is_waited_for(server) -> None:
    with Client(server.url, timeout=1, reply_to="shop") as client:
        job = client.submit(["EC-1"])
        words = (
            "XADD",
            "cancellist:replies:shop",
            "*",
            "entry",
            job.entry,
            "error",
            "guard_refused",
            "message",
            "many",
        )
        thread = threading.Timer(0.8, server.command_line, words)
        thread.start()
        with pytest.raises(ApiError, match="many") as caught:
            job.identify(20)
        thread.join(10)
        assert caught.value.code == "guard_refused"


def test_a_namespace_stands_before_each_key(server) -> None:
    with Client(server.url, namespace="other") as client:
        client.submit(["EC-1"])
        assert drained(client) == []
    assert set(server.command_line("KEYS", "*")) == {"other:intake", "other:results"}


def test_the_transport_has_no_password_in_its_name() -> None:
    transport = StreamsTransport(
        "rediss://user:pw@host:6380/1", namespace="n", reply_to="", timeout=1, backoff=Backoff()
    )
    assert transport.shown == "rediss://host:6380/1"
