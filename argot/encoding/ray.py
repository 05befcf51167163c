"""Encoding and filling an index on all CPUs or GPUs of a Ray cluster: the bytes of one machine.

For `machine.engine: ray`. RAY_ADDRESS names the cluster; without it Ray uses this machine alone.
Each node has Argot installed from the same commit; the model's files are sent through Ray, so that
no disk need be shared.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.core.params import SomeSettings
from argot.encoding.embedder import Embedder, Role
from argot.encoding.fast.precision import Known
from argot.encoding.store.tokens import Tokens
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import ModelError

BLOCK = 2048  # texts that a worker encodes at a time: what is encoded again when a machine is lost
Files = dict[str, bytes]


class EngineSettings(SomeSettings):
    """Where millions of passages are encoded and indexed, of the section `machine`."""

    engine: Literal["local", "ray"]


class Worker:
    """A model in a process of its own, on one core or one GPU."""

    def __init__(
        self,
        files: Any,
        device: str,
        precision: Known,
        role: Role,
        by_token: bool,
        identity: str,
    ) -> None:
        import ray

        with TemporaryDirectory() as folder:
            for name, content in ray.get(files).items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            embedder = Embedder.load(Path(folder), device, precision=precision, bulk=True)
            if embedder.identity != identity:
                raise ModelError(
                    "a node has other code, libraries or devices, and would make other vectors"
                )
        self.encoder = TokenEncoder(embedder)
        self.role: Role = role
        self.by_token = by_token

    def __call__(self, texts: pa.Table) -> pa.Table:
        """Row, vector and, where they are asked for, tokens of each text."""
        order: list[int] = []
        vectors, parts = [], []
        stream = self.encoder.stream(texts["text"].to_pylist(), self.role, self.by_token)
        for rows, values, tokens in stream:
            order += rows
            vectors += list(values)
            parts.append(tokens)
        columns = {"row": texts["row"].take(order), "vector": pa.array(vectors)}
        return pa.table({**columns, **Tokens.joined(parts).columns()})


def encode_stream(
    embedder: Embedder, device: str, texts: Sequence[str], role: Role, by_token: bool
) -> Iterator[tuple[list[int], NDArray[np.float32], Tokens]]:
    """As `TokenEncoder.stream`: rows of `texts`, their vectors and tokens, as they are done.

    `device` is that which `embedder` was loaded with. Texts of similar length are encoded together,
    so that little is spent on padding. Raises ModelError where a worker can't start or fails.
    """
    if not texts:
        return
    import torch

    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    table = pa.table({"row": pa.array(order, pa.int64()), "text": [texts[row] for row in order]})
    with _cluster() as ray:
        found = ray.cluster_resources()
        use_gpus = device in ("auto", "cuda") and torch.cuda.is_available()
        gpus = int(found.get("GPU", 0)) if use_gpus else 0
        workers = gpus or int(found["CPU"])
        files = ray.put(_read(embedder.folder))
        blocks = [table.slice(start, BLOCK) for start in range(0, len(table), BLOCK)]
        encoded = ray.data.from_arrow(blocks).map_batches(
            Worker,
            fn_constructor_args=(
                *(files, device, embedder.precision, role, by_token),
                embedder.identity,
            ),
            batch_size=BLOCK,
            batch_format="pyarrow",
            num_cpus=0 if gpus else 1,
            num_gpus=1 if gpus else 0,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(blocks))),
        )
        for batch in encoded.iter_batches(batch_size=None, batch_format="pyarrow"):
            vectors = np.stack(batch["vector"].to_numpy())
            yield batch["row"].to_pylist(), vectors, Tokens.from_columns(batch)


def each(work: Callable[[Any, Any], Any], common: Any, parts: Iterable[Any]) -> Iterator[Any]:
    """What `work(common, part)` gives for each part, in their order, by one worker a core."""
    with _cluster() as ray:
        there, remote = ray.put(common), ray.remote(num_cpus=1)(work)
        for done in [remote.remote(there, part) for part in parts]:
            yield ray.get(done)


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, joined or started for as long as the block runs; its telemetry and dashboard stay off.

    Raises ModelError where it isn't installed or a worker fails.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray logs normal Ray Data events at error level.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise ModelError(
            "machine.engine: ray is not installed; pip install '.[ray]', or take local"
        ) from None

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = sys.stderr.isatty()
    try:
        yield ray
    except ray.exceptions.RayError as error:
        reason = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
        raise ModelError(f"machine.engine: a worker of the Ray cluster failed ({reason})") from None
    finally:
        ray.shutdown()


def _read(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
