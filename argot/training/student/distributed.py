"""Training by several processes, one a card: who is who, each one's share of a step, and the vectors of all.

A step stays what it is for one process: each encodes its share of the texts, gets the vectors of all, and computes the
loss of the whole step, whose gradient reaches the weights through each one's own vectors. DistributedDataParallel joins
these gradients, so that the model differs from one process's by rounding only.
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
# How a process ends that had too little memory: which one that is, only the one that started all can tell.
OUT_OF_MEMORY = 3


def rank() -> int:
    """This process's number; the first, 0, alone measures and writes."""
    return int(os.environ.get("RANK", 0))


def count() -> int:
    """Processes that train together, as `accelerate launch` and `torchrun` tell them."""
    return int(os.environ.get("WORLD_SIZE", 1))


def share(texts: list[str]) -> list[str]:
    """Every n-th of a step's texts; some of them twice at the end, so that all processes have equally many."""
    rounds = -(-len(texts) // count())
    return [texts[at % len(texts)] for at in range(rank(), rounds * count(), count())]


def gathered(vectors: Tensor, texts: int) -> Tensor:
    """The vectors, (texts, dimension), of all the step's texts in their order, out of those of each one's share.

    Only this process's own have a gradient, as many times larger as there are processes to take the mean of.
    """
    if count() == 1:
        return vectors
    from sentence_transformers.util.distributed import all_gather

    vectors.register_hook(lambda gradient: gradient * count())  # type: ignore[no-untyped-call]
    return all_gather(vectors).view(count(), len(vectors), -1).transpose(0, 1).flatten(0, 1)[:texts]


def first_says(value: Callable[[], T]) -> T:
    """What the first process finds, for all of them."""
    from accelerate.utils import broadcast_object_list

    told: list[T] = broadcast_object_list([value() if rank() == 0 else None])
    return told[0]


def part() -> None:
    """Let this process go on alone."""
    import torch

    if count() > 1:
        torch.distributed.destroy_process_group()


def choose_card() -> None:
    """Let each process take its own card, where there are cards."""
    import torch

    if count() > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def run_together(name: str, stage: Callable[[], str], processes: Callable[[], int]) -> None:
    """Run a stage as `argot.core.stage.run` does, in so many processes of this machine, each `python -m stages.NAME`.

    Those that were started so already, here or by `accelerate launch` on several machines, do the work. What is wrong
    for all is told by the first.
    """
    end_with_dvc()  # the launcher too; with it, those it started
    with suppress(ArgotError):
        if count() == 1 and (wanted := processes()) > 1:
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

    # --multi_gpu starts processes by torchrun; on processors, too.
    given = f"--multi_gpu --num_machines 1 --main_process_port 0 --mixed_precision no --dynamo_backend no -m stages.{name}"
    logging.disable()  # torchrun's own account of what the first process tells
    try:
        launch_command(
            launch_command_parser().parse_args(["--num_processes", str(processes), *given.split()])
        )
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        if OUT_OF_MEMORY in codes:
            advice = "set machine.processes to 1, which halves its mini-batches until they fit, or take a smaller model"
            print(
                f"{name}: error: out of memory in one of {processes} processes; {advice}",
                file=sys.stderr,
            )
        return 2 if {2, OUT_OF_MEMORY} & set(codes) else 1
    except SignalException:
        return 130
    return 0
