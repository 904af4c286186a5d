"""A worker counts the open consignments of an account, by which a guard of their share judges."""

from redis import Redis

from tests.support.commands import desk as a_desk
from tests.support.waiting import soon

WITHIN_S = 30


def counted(url: str) -> bytes:
    with Redis.from_url(url) as redis:
        return bytes(soon(lambda: redis.hget("cancellist:account:default:state", "open_count"), within_s=WITHIN_S))


def test_a_job_of_too_large_a_share_of_what_is_open_is_refused(tmp_path):
    with a_desk(tmp_path) as desk:
        held = desk.ok("enqueue", "-", text="\n".join(desk.fresh(120)), guard_max_share="10").out.strip()
        told = desk.ok("status", held).out
        assert "how many are open is not known" in told
        with desk.started("worker", guard_max_share="10"):
            count = int(counted(desk.url).split()[0])
        assert count > 120
        most = count // 10
        desk.ok("enqueue", "-", text="\n".join(desk.fresh(most)))
        done = desk.run("enqueue", "-", text="\n".join(desk.fresh(most + 1)))
        assert done.status == 5
        assert f"are more than 10 % of all {count:,} open consignments" in done.err
