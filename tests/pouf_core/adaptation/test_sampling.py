"""Batches of items, drawn without repeating one too early."""

from __future__ import annotations

from pouf_core.adaptation.sampling import BatchSampler


def test_sampler_runs_through_every_item_before_repeating_one() -> None:
    sampler = BatchSampler(10, 4, drop_last=False, seed=0)
    stream = [draw for step in range(5) for draw in sampler.batch(step)]
    assert [epoch for _, epoch in stream] == [0] * 10 + [1] * 10
    assert sorted(index for index, _ in stream[:10]) == list(range(10))
    assert stream != [draw for step in range(5) for draw in BatchSampler(10, 4, False, seed=1).batch(step)]


def test_drop_last_leaves_out_the_rest_of_each_epoch() -> None:
    sampler = BatchSampler(10, 4, drop_last=True, seed=0)
    epochs = [{epoch for _, epoch in sampler.batch(step)} for step in range(4)]
    assert epochs == [{0}, {0}, {1}, {1}]


def test_short_batches_end_each_epoch_with_what_is_left() -> None:
    sampler = BatchSampler(10, 4, drop_last=False, seed=0, short_batches=True)
    batches = [sampler.batch(step) for step in range(6)]
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    for epoch in (0, 1):
        drawn = [draw for batch in batches[3 * epoch : 3 * epoch + 3] for draw in batch]
        assert {of for _, of in drawn} == {epoch}
        assert sorted(index for index, _ in drawn) == list(range(10))
