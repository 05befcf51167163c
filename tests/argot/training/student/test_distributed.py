from __future__ import annotations

import pytest

from argot.training.student.distributed import shard


@pytest.mark.parametrize("texts", [1, 2, 7, 9])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_are_equally_long_and_give_the_texts_in_their_order(
    texts: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, shares = [str(number) for number in range(texts)], []
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    for rank in range(processes):
        monkeypatch.setenv("RANK", str(rank))
        shares.append(shard(whole))
    dealt = [text for row in zip(*shares, strict=True) for text in row]
    assert dealt[:texts] == whole
    assert len(dealt) - texts < processes
