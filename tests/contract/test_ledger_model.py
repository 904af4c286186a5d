"""The ledger's scripts on a real server against a model: whatever is called, in whatever order, however often.

After every step every reference of every job is in exactly one place, the counters agree with what is there and with
the stream, and no limit is passed.
"""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from tests.contract.ledger_machine import LedgerMachine
from tests.support.servers import Server


def test_whatever_is_called_in_whatever_order_every_reference_is_in_one_place(any_server: Server) -> None:
    machine = type("Machine", (LedgerMachine,), {"url": any_server.url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip
