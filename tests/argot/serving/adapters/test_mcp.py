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


async def called(offered: Any, tool: str, arguments: dict[str, Any]) -> Any:
    async with Client(offered) as client:
        return await client.call_tool(tool, arguments)


async def found(offered: Any, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    result = await called(offered, "search", arguments)
    assert not result.is_error, result
    (block,) = result.content
    results: list[dict[str, Any]] = json.loads(block.text)["results"]
    assert result.structured_content == {"results": results}
    return results


def fetched(offered: Any, id: str) -> Any:
    result = asyncio.run(called(offered, "fetch", {"id": id}))
    return result.content[0].text if result.is_error else json.loads(result.content[0].text)


def test_an_agent_finds_the_tools_and_what_they_take(release: Path) -> None:
    async def listed() -> Any:
        offered = search_server(Retriever.load(release, device="cpu"), name="the pump handbook")
        async with Client(offered) as client:
            return await client.list_tools()

    tools = {tool.name: tool for tool in asyncio.run(listed()).tools}
    assert {name: set(tool.input_schema["properties"]) for name, tool in tools.items()} == {
        "search": {"query", "k", "where"},
        "fetch": {"id"},
    }
    for tool in tools.values():
        assert "the pump handbook (4 documents)" in tool.description
        assert tool.annotations.read_only_hint


def test_an_agent_finds_passages(release: Path) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    one = asyncio.run(found(offered, {"query": "E-17 rotor stuck", "k": 1}))[0]
    assert (one["document"], one["rank"]) == ("pumps/noise.md", 1)
    assert one["text"] == "Error E-17 means the rotor is stuck."
    assert set(one["ranks"]) == {"bm25", "dense", "tokens"}


def test_a_filter_holds(release: Path) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    some = asyncio.run(found(offered, {"query": "pump", "k": 50, "where": {"year": "2026"}}))
    assert {one["document"] for one in some} == {"pumps/noise.md", "returns.md"}


def test_a_result_leads_to_its_whole_document(release: Path) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    one = asyncio.run(found(offered, {"query": "E-17 rotor stuck", "k": 1}))[0]
    whole = fetched(offered, one["id"])
    assert whole.keys() == {"id", "title", "text", "url", "metadata"}
    assert (whole["id"], whole["title"]) == ("pumps/noise.md", "pumps/noise")
    assert "A rattling pump runs dry" in whole["text"] and one["text"] in whole["text"]
    assert fetched(offered, "pumps/noise.md") == whole


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("search", {"query": "pump", "k": -5}, "k: Input should be greater than or equal to 1"),
        ("search", {"query": "pump", "k": 51}, "k: Input should be less than or equal to 50"),
        ("search", {"query": ""}, "query: String should have at least 1 character"),
        ("search", {}, "query: Field required"),
        ("search", {"query": "pump", "top": 3}, "unknown argument 'top'; known: query, k, where"),
        (
            "search",
            {"query": "pump", "where": {"author": "x"}},
            "no document has metadata 'author'; known are: draft, tags, year",
        ),
        (
            "search",
            {"query": "pump", "where": {"year": "2024"}},
            "no document has year=2024; known are: 2025, 2026",
        ),
        (
            "fetch",
            {"id": "no.md"},
            "no document or passage 'no.md'; take an id that search returned",
        ),
    ],
)
def test_what_is_wrong_with_a_call_is_one_line(
    release: Path, tool: str, arguments: dict[str, Any], told: str
) -> None:
    offered = search_server(Retriever.load(release, device="cpu"))
    result = asyncio.run(called(offered, tool, arguments))
    assert result.is_error
    assert result.content[0].text == told


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
    for name in SEEN["mechanics"] | {"pay.md"}:
        whole = fetched(search_server(release, {"legal"}), f"{name}#0")
        assert isinstance(whole, dict) == (name in SEEN["legal"])
    with pytest.raises(InputError, match="access rights"):
        search_server(release)
