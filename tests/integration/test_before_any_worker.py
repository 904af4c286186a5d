"""A job handed in before any worker has run is held as the first worker's settings ask, whichever way it came."""

from pathlib import Path

from tests.support.api import WITHIN_S, serving
from tests.support.commands import desk
from tests.support.waiting import soon
from tests.support.ways_in import WAYS, Given, WaysIn

BEFORE = [way for way in WAYS if way not in {"stream", "retry"}]
"""The intake stream is read by workers alone, and only a worker ends the job that a retry is made of."""


def test_it_is_held_and_can_be_taken_back(tmp_path: Path) -> None:
    with desk(tmp_path) as one, serving(one) as api:
        ways, client = WaysIn(api), api.client()
        jobs = {way: ways.by(way, Given(one.fresh(2))).job for way in BEFORE}
        assert all(jobs.values())
        with one.started("worker", hold="300"):
            for way, job in jobs.items():
                held = soon(lambda job=job: client.get(f"/v1/jobs/{job}").json()["hold_until"], within_s=WITHIN_S)
                assert held, way
                client.post(f"/v1/jobs/{job}/abort").raise_for_status()
                assert api.ended(client, job)["outcomes"] == {"aborted": 2}, way
