"""Places of connections: one that gives way makes room, the one that has done so for longest before others."""

from cancellist.api.serving.places import Places


def test_who_has_yielded_for_longest_gives_way_and_who_works_does_not():
    closed: list[str] = []
    places = Places(2)
    for name in "ab":
        assert places.take(name)
    assert not places.take("c"), "nobody gives way"
    places.yields("b", lambda: closed.append("b"))
    places.yields("a", lambda: closed.append("a"))
    places.works("b")
    assert places.take("c")
    assert closed == ["a"]
    assert not places.take("d")
    places.leave("b")
    assert places.take("d")
    assert places.take("d"), "it has one"
