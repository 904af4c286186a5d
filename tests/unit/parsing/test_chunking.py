import pytest

from cancellist.jobs.parsing.chunking import CHUNK_SIZE, Chunker, pack, unpack


def test_chunks_come_out_full_and_the_rest_at_the_flush():
    chunker = Chunker(3)
    assert chunker.feed(["a", "b"]) == []
    assert chunker.feed(["c", "d", "e", "f", "g"]) == ["a\nb\nc", "d\ne\nf"]
    assert chunker.feed([]) == []
    assert chunker.flush() == ["g"]
    assert chunker.flush() == []


def test_a_chunker_begins_anew_after_its_flush():
    chunker = Chunker(2)
    chunker.feed(["a"])
    chunker.flush()
    assert chunker.feed(["b", "c"]) == ["b\nc"]


def test_a_multiple_of_the_size_leaves_nothing_to_flush():
    chunker = Chunker(2)
    assert chunker.feed(["a", "b", "c", "d"]) == ["a\nb", "c\nd"]
    assert chunker.flush() == []


def test_the_batch_that_is_fed_stays_as_it_was():
    batch = ["a", "b", "c"]
    Chunker(2).feed(batch)
    assert batch == ["a", "b", "c"]


def test_packing_and_unpacking_give_the_same_references():
    references = [str(number) for number in range(250)]
    chunks = pack(references)
    assert [len(unpack(chunk)) for chunk in chunks] == [CHUNK_SIZE, CHUNK_SIZE, 50]
    assert [reference for chunk in chunks for reference in unpack(chunk)] == references
    assert pack([]) == []
    assert unpack("") == []


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_of_nothing_is_refused(size):
    with pytest.raises(ValueError, match="at least one"):
        Chunker(size)
