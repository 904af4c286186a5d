"""Samples of jobs that share the calls of an account."""

from cancellist.jobs.model import ResultSample
from cancellist.jobs.progress.merged_samples import merged


def test_samples_of_one_job_alone_are_unchanged():
    samples = [ResultSample(100, 10, 1000, 20, 1), ResultSample(200, 30, 5000, 15, 3)]
    assert merged([(samples, 250)]) == (samples, 250)


def test_results_of_all_are_summed_in_the_order_of_their_times_on_the_longest_clock():
    first = [ResultSample(100, 10, 1000, 20, 1), ResultSample(300, 20, 4000, 10, 2)]
    second = [ResultSample(100, 5, 500, 5, 1)]
    samples, now_ms = merged([(first, 400), (second, 300)])
    assert now_ms == 400
    assert samples == [
        ResultSample(100, 10, 1000, 20, 1), ResultSample(200, 15, 2000, 25, 2), ResultSample(300, 25, 5000, 15, 3),
    ]  # fmt: skip


def test_results_that_came_at_the_same_time_are_all_counted():
    same = [ResultSample(100, 10, 1000, 20, 1), ResultSample(100, 20, 2000, 20, 2)]
    samples, _ = merged([(same, 100), (same, 100)])
    assert samples[-1] == ResultSample(100, 40, 4000, 40, 4)


def test_what_a_job_has_in_calls_before_its_first_result_counts_from_its_beginning():
    first = [ResultSample(100, 10, 1000, 20, 1)]
    second = [ResultSample(150, 5, 750, 7, 1)]
    samples, _ = merged([(first, 200), (second, 200)])
    assert [sample.in_calls for sample in samples] == [27, 27]


def test_without_jobs_there_are_no_samples():
    assert merged([]) == ([], 0)
