from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from argot import Retriever
from argot.errors import InputError
from argot.serving.adapters.mcp import search_server
from tests.support.rights import SEEN


async def found(offered: Any, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    async with Client(offered) as client:
        result = await client.call_tool("search", arguments)
    assert not result.is_error, result
    return [json.loads(block.text) for block in result.content]


def test_an_agent_finds_the_tool_and_what_it_takes(release: Path) -> None:
    async def listed() -> Any:
        async with Client(search_server(Retriever.load(release, device="cpu"))) as client:
            return await client.list_tools()

    (tool,) = asyncio.run(listed()).tools
    assert tool.name == "search"
    assert set(tool.input_schema["properties"]) == {"query", "k", "where"}
    assert "passages" in tool.description


def test_an_agent_finds_passages(release: Path) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    one = asyncio.run(found(offered, {"query": "E-17 rotor stuck", "k": 1}))[0]
    assert (one["document"], one["rank"]) == ("pumps/noise.md", 1)
    assert one["text"] == "Error E-17 means the rotor is stuck."
    assert set(one["ranks"]) == {"bm25", "dense", "tokens"}


def test_a_filter_and_the_bounds_of_k_hold(release: Path) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    some = asyncio.run(found(offered, {"query": "pump", "k": 1000, "where": {"year": "2026"}}))
    assert {one["document"] for one in some} == {"pumps/noise.md", "returns.md"}
    assert len(asyncio.run(found(offered, {"query": "pump", "k": -5}))) == 1


@pytest.mark.slow
def test_the_command_speaks_on_standard_input_and_output(release: Path) -> None:
    command = [sys.executable, "-c", "from argot.serving.cli import main; main()"]
    arguments = [*command[1:], "mcp", "--release", str(release)]
    one = asyncio.run(
        found(StdioServerParameters(command=command[0], args=arguments), {"query": "E-17"})
    )[0]
    assert one["document"] == "pumps/noise.md"


def test_an_agent_sees_what_its_groups_may_see(restricted: Path) -> None:
    release = Retriever.load(restricted, device="cpu")
    asked = {"query": "pump seal wages rotor", "k": 50, "where": {"groups": "everyone"}}
    some = asyncio.run(found(search_server(release, {"legal"}), asked))
    assert {one["document"] for one in some} == {"returns.md"}
    some = asyncio.run(found(search_server(release, {"legal"}), {"query": "pump", "k": 50}))
    assert {one["document"] for one in some} <= SEEN["legal"]
    with pytest.raises(InputError, match="access rights"):
        search_server(release)
