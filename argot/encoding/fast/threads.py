"""Many batches on a CPU's cores: each is computed by one thread, several of them at once.

torch would share each product among all cores. Its threads then wait for each other a hundred times
a batch, which leaves half the cores idle where batches are small, or other programs run. And
Intel's AMX would add up the parts of a wide bfloat16 product by thread, so that the last bits would
follow the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

Part = TypeVar("Part")
Made = TypeVar("Made")


def one_thread_each(work: Callable[[Part], Made], parts: Iterable[Part]) -> Iterator[Made]:
    """What `work` makes of each part, in their order, on as many cores as torch may use here."""
    cores = torch.get_num_threads()
    waiting: deque[Future[Made]] = deque()
    parts = iter(parts)
    first = list(islice(parts, 2))
    try:
        # A single part, such as a question, is not worth starting a thread.
        if len(first) < 2 or cores == 1:
            torch.set_num_threads(1)
            yield from map(work, chain(first, parts))
            return
        threads = ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))
        with threads as pool, threadpool_limits(1, "blas"):
            for part in chain(first, parts):
                waiting.append(pool.submit(work, part))
                # A few parts wait at any time: their results need memory.
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        # Threads that begin later take the number that was set last, by whichever thread.
        torch.set_num_threads(cores)
