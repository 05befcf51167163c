"""Training by several processes, one a GPU: their ranks, shards of a step, and all vectors.

A step stays what it is for one process. Each process encodes its shard of the texts, gets the
vectors of all, and computes the loss of the whole step, whose gradient reaches the weights through
its own vectors. DistributedDataParallel takes the mean of these gradients, so that the model
differs from one that a single process trains by rounding only.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from argot.core.stage import end_with_dvc, run
from argot.errors import ArgotError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
# The exit code of a process that ran out of memory, by which the launcher knows it.
OUT_OF_MEMORY = 3


def rank() -> int:
    """This process's number; the first, 0, alone measures and writes."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """How many processes train together; `accelerate launch` and `torchrun` set it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def shard(texts: list[str]) -> list[str]:
    """This process's texts of a step: every n-th, for n processes.

    The first texts come again at the end, so that all shards are of one size.
    """
    rounds = -(-len(texts) // world_size())
    return [texts[at % len(texts)] for at in range(rank(), rounds * world_size(), world_size())]


def all_gather(vectors: Tensor, texts: int) -> Tensor:
    """The vectors, (texts, dimension), of all the step's texts, out of those of each shard.

    Only this process's own have a gradient. It is multiplied by the number of processes, because
    DistributedDataParallel divides their sum by it.
    """
    if world_size() == 1:
        return vectors
    from sentence_transformers.util import distributed

    vectors.register_hook(lambda gradient: gradient * world_size())  # type: ignore[no-untyped-call]
    shards = distributed.all_gather(vectors).view(world_size(), len(vectors), -1)
    return shards.transpose(0, 1).flatten(0, 1)[:texts]


def longest(mask: Tensor) -> int:
    """The greatest number of columns that a process has, of masks (texts, columns)."""
    import torch

    length = torch.tensor(mask.shape[1], device=mask.device)
    if world_size() > 1:
        torch.distributed.all_reduce(length, torch.distributed.ReduceOp.MAX)
    return int(length)


def broadcast_from_first(value: Callable[[], T]) -> T:
    """What the first process finds, for all of them."""
    from accelerate.utils import broadcast_object_list

    values: list[T] = broadcast_object_list([value() if rank() == 0 else None])
    return values[0]


def leave_group() -> None:
    """Destroy the process group; the rest runs without it."""
    import torch

    if world_size() > 1:
        torch.distributed.destroy_process_group()


def choose_gpu() -> None:
    """Let each process take its own GPU, where there are GPUs."""
    import torch

    if world_size() > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def run_together(name: str, stage: Callable[[], str], processes: Callable[[], int]) -> None:
    """Run a stage as `argot.core.stage.run` does, in so many processes of this machine.

    Each is a `python -m stages.NAME`. A process that was started as one of several, from here or by
    `accelerate launch` on several machines, does the work; the first prints the errors.
    """
    end_with_dvc()  # a launcher ends with dvc, and the processes it started end with it
    with suppress(ArgotError):
        if world_size() == 1 and (wanted := processes()) > 1:
            sys.exit(_launch(name, wanted))
    if rank() == 0:
        return run(name, stage)
    try:
        stage()
    except ArgotError:
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _launch(name: str, processes: int) -> int:
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # --multi_gpu starts processes by torchrun, on CPUs too.
    given = (
        f"--multi_gpu --num_processes {processes} --num_machines 1 --main_process_port 0 "
        f"--mixed_precision no --dynamo_backend no -m stages.{name}"
    )
    logging.disable()  # torchrun would log again what the first process prints
    try:
        launch_command(launch_command_parser().parse_args(given.split()))
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        if OUT_OF_MEMORY in codes:
            print(
                f"{name}: error: out of memory in one of {processes} processes; set "
                "machine.processes to 1, which halves its mini-batches until they fit, or take a "
                "smaller model",
                file=sys.stderr,
            )
        return 2 if {2, OUT_OF_MEMORY} & set(codes) else 1
    except SignalException:
        return 130
    return 0
