from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot.encoding.embedder import Embedder
from argot.errors import InputError
from argot.serving.adapters.endpoint import EndpointHandler


@pytest.fixture(scope="module")
def handler(made: Path, tmp_path_factory: pytest.TempPathFactory) -> EndpointHandler:
    folder = tmp_path_factory.mktemp("endpoint")
    shutil.copytree(made / "models/release", folder / "release")
    return EndpointHandler(str(folder))


def test_it_searches_and_its_reply_is_json(handler: EndpointHandler) -> None:
    [found] = json.loads(json.dumps(handler({"inputs": "error E-17", "parameters": {"k": 2}})))
    assert [one["rank"] for one in found] == [1, 2]
    assert found[0]["document"] == "pumps/noise.md"
    [by_token] = handler({"inputs": "error E-17", "parameters": {"k": 2, "mode": "tokens"}})
    assert [one["ranks"] for one in by_token] == [{"tokens": 1}, {"tokens": 2}]
    [only] = handler({"inputs": ["pump"], "parameters": {"filter": {"year": 2025}}})
    assert {one["document"] for one in only} == {"pumps/seals.md"}


def test_it_embeds_as_the_library_does(handler: EndpointHandler, release: Path) -> None:
    embedder = Embedder.load(release / "embedder", "cpu")
    texts = ["seal", "my pump rattles"]
    for kind, encode in (("query", embedder.encode_queries), ("passage", embedder.encode_passages)):
        got = handler({"inputs": texts, "parameters": {"task": "embed", "input_type": kind}})
        assert np.array_equal(np.array(got, dtype=np.float32), encode(texts))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"inputs": ""},
        {"inputs": [1]},
        {"inputs": ["x"] * 257},
        {"inputs": "x", "parameters": {"limit": 3}},
        {"inputs": "x", "parameters": {"task": "sing"}},
        {"inputs": "x", "parameters": {"mode": "fused"}},
        {"inputs": "x", "parameters": ["k"]},
    ],
)
def test_what_it_cannot_use_is_told(handler: EndpointHandler, data: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        handler(data)


def test_a_release_with_rights_is_refused_for_it_knows_nobody(restricted: Path) -> None:
    with pytest.raises(InputError, match="access rights"):
        EndpointHandler(str(restricted.parent))
