from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from argot.encoding.fast.threads import one_thread_each
from tests.support.threads import torch_threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    with torch_threads(3):
        yield


@pytest.mark.parametrize("count", [0, 1, 40])
def test_each_part_has_one_thread_and_their_order_stays(count: int) -> None:
    made = list(one_thread_each(lambda part: (part, torch.get_num_threads()), range(count)))
    assert made == [(part, 1) for part in range(count)]
    assert torch.get_num_threads() == 3


def test_few_parts_wait_while_one_is_used() -> None:
    asked: list[int] = []

    def parts() -> Iterator[int]:
        for part in range(40):
            asked.append(part)
            yield part

    made = one_thread_each(abs, parts())
    assert next(made) == 0
    assert len(asked) == 4
    made.close()
    assert torch.get_num_threads() == 3


def test_an_error_is_raised_where_its_part_is_due() -> None:
    made = one_thread_each(lambda part: 1 // (3 - part), range(9))
    assert [next(made) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert torch.get_num_threads() == 3
