"""The whole stage with a model: real clients, a local server, and what was really sent."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import read_table, write_table
from argot.llm.calls.store import REPLIES, Store
from argot.queries.wording import TYPES
from argot.tables import chunks, pairs
from stages import lexical, synthesize
from tests.stages.test_synthesize import (
    TOPICS,
    change,
    figures,
    made,
    write_chunks,
    write_params,
    write_questions,
)
from tests.support import language_model
from tools.tiny.provider import KEY, serving

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import yaml

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    write_params(yaml.safe_load((REPOSITORY / "params.yaml").read_text()))
    write_questions([])
    write_chunks(TOPICS)
    return tmp_path


def use(url: str, provider: str = "openai", **llm: Any) -> None:
    import yaml

    content = yaml.safe_load(Path("params.yaml").read_text())
    content["machine"]["llm"].update(
        base_url=f"{url}/v1" if provider == "openai" else url,
        poll_seconds=0.05,
        timeout_seconds=600.0,
    )
    model = "gpt-6-luna" if provider == "openai" else "claude-haiku-5-5"
    content["synthesize"]["llm"].update({"provider": provider, "model": model, **llm})
    Path("params.yaml").write_text(yaml.safe_dump(content))
    change()


def set_spend(**spend: Any) -> None:
    import yaml

    content = yaml.safe_load(Path("params.yaml").read_text())
    content["spend"].update(spend)
    Path("params.yaml").write_text(yaml.safe_dump(content))
    change()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_models_queries_become_pairs_with_their_lineage(project: Path, provider: str) -> None:
    with serving() as server:
        use(server.url, provider)
        synthesize.main()
    rows = [row for row in made() if row["source"].startswith("llm:")]
    assert rows == [row for row in made() if row["trusted"]]
    with Store() as store:
        replies = {reply.key: reply for reply in store}
    assert {row["source"] for row in rows} >= {"llm:question", "llm:keywords", "llm:short"}
    for row in rows:
        reply = replies[row["reply"]]
        assert (row["provider"], row["model"], row["prompt"], row["chunk"]) == (
            provider,
            reply.model,
            reply.prompt,
            reply.about,
        )
        assert row["query"] in [entry["query"] for entry in json.loads(reply.content)["queries"]]
    paid = figures()["llm"]
    assert (paid["replies"], paid["status"]) == (36, {"good": 36})
    assert paid["usd"] == pytest.approx(sum(reply.usd for reply in replies.values()), abs=1e-6)


@pytest.mark.slow
def test_a_real_model_on_a_server_of_ones_own(project: Path) -> None:
    """Its queries are of no use, but form, tokens and price are those of a real server."""
    write_chunks(TOPICS[:1])
    with language_model.serving(project) as url:
        short = {"max_tokens": 120, "queries_per_chunk": 2, "sampling": {"temperature": 0}}
        use(url, **short, model="smollm2")
        set_spend(prices={"smollm2": {"input": 0.0, "output": 0.0}})
        synthesize.main()
    with Store() as store:
        replies = list(store)
    good = [reply for reply in replies if reply.status == "good"]
    # A model this small may repeat itself until it is cut off.
    assert good and {reply.status for reply in replies} <= {"good", "malformed"}
    assert {reply.model for reply in replies} == {"smollm2"}
    # The prompt alone is some hundred tokens, which the server counts.
    assert all(reply.tokens_in > 300 and 0 < reply.tokens_out <= 120 for reply in replies)
    written = [entry for reply in good for entry in json.loads(reply.content)["queries"]]
    assert all(set(entry) == {"type", "query"} for entry in written)
    assert {entry["type"] for entry in written} <= set(TYPES)
    paired = [row for split in pairs.PATHS for row in made(split) if row["provider"]]
    drops: Counter[str] = Counter()
    for source, reasons in figures()["dropped"].items():
        drops.update(reasons if source.startswith("llm") else {})
    assert drops.pop("malformed", 0) == 3 - len(good)
    assert len(paired) + drops.total() == len(written)
    assert (figures()["llm"]["usd"], figures()["llm"]["replies"]) == (0.0, len(replies))
    # Without the server: what was answered is not asked again.
    before = made()
    synthesize.main()
    assert made() == before


def test_live_and_batch_give_the_same_pairs(project: Path) -> None:
    with serving() as server:
        use(server.url)
        synthesize.main()
        live = {split: made(split) for split in pairs.PATHS}
        for path in REPLIES.glob("*"):
            path.unlink()
        set_spend(batch=True)
        synthesize.main()
    assert {split: made(split) for split in pairs.PATHS} == live


def test_a_changed_document_costs_its_own_chunks_only(project: Path) -> None:
    with serving() as server:
        use(server.url)
        synthesize.main()
        before = len(server.provider.calls)
        rows = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
        rows[0]["text"] += " Changed."
        rows[0]["chunk"] = "pump0-new"
        write_table(chunks.PATH, rows, chunks.SCHEMA)
        lexical.main()
        synthesize.main()
        assert len(server.provider.calls) == before + 1
        assert synthesize.prune() == "1 reply dropped"
        synthesize.main()
        assert len(server.provider.calls) == before + 1


def test_an_edited_prompt_asks_anew_and_settings_of_the_machine_do_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argot.queries import wording

    prompt = wording.prompt
    with serving() as server:
        use(server.url)
        synthesize.main()
        set_spend(max_usd=9.0)
        synthesize.main()
        assert len(server.provider.calls) == 36
        monkeypatch.setattr(wording, "prompt", lambda path: f"{prompt(path)}\nBe polite.")
        synthesize.main()
        assert len(server.provider.calls) == 72


def test_the_estimate_asks_and_spends_nothing(project: Path) -> None:
    with serving() as server:
        use(server.url)
        line = synthesize.show_estimate()
        assert server.provider.calls == []
        synthesize.main()
        after = synthesize.show_estimate()
    assert (
        line.startswith("36 passages, 0 answered before")
        and "$0.0" in line
        and "four letters a token, 30 tokens a query" in line
        and line.endswith("; limit $5.00; nothing was spent")
    )
    assert f"{36 * 4 * 30:,} out" in line
    assert after.startswith("36 passages, 36 answered before; the others: 0 tokens in and 0 out")
    use(server.url, judge=5)
    assert synthesize.show_estimate().endswith("; the judge is paid on top; nothing was spent")


def test_what_must_not_leave_the_machine_is_not_sent(project: Path) -> None:
    rows = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
    secrets = [
        "jan@example.org",
        "+49 30 901820",
        "DE89370400440532013000",
        "4111 1111 1111 1111",
        "sk-live-abcdefghijklmnop1234",
    ]
    rows[0]["text"] += " Ask " + ", ".join(secrets)
    rows[1]["heading"] = "Mail to eve@example.org"
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    lexical.main()
    asked = {
        "question": "q",
        "kind": "",
        "documents": ["fan.md"],
        "chunks": ["fan0"],
        "cluster": "fan.md",
        "source": "a",
    }
    write_questions([{**asked, "query": "is mallory@example.org still here"}])
    with serving() as server:
        use(server.url, judge=5)
        synthesize.main()
        sent = json.dumps(server.provider.calls)
    assert "[email]" in sent and "[iban]" in sent
    for secret in [*secrets, "eve@example.org", "mallory@example.org", KEY]:
        assert secret not in sent
    stored = b"".join(path.read_bytes() for path in REPLIES.glob("*"))
    assert KEY.encode() not in stored


def test_the_judge_drops_training_queries_only_and_is_paid_once(project: Path) -> None:
    change(dev_share=0.3, test_share=0.2)
    with serving() as server:
        use(server.url)
        synthesize.main()
        free = {split: {row["pair"] for row in made(split)} for split in pairs.PATHS}
        use(server.url, judge=6)
        synthesize.main()
        calls = len(server.provider.calls)
        synthesize.main()
        assert len(server.provider.calls) == calls
    judged = {split: {row["pair"] for row in made(split)} for split in pairs.PATHS}
    assert judged["train"] < free["train"]
    assert (judged["dev"], judged["test"]) == (free["dev"], free["test"])
    drops = sum(reasons.get("not grounded", 0) for reasons in figures()["dropped"].values())
    assert drops == len(free["train"]) - len(judged["train"])


def test_without_a_key_the_run_ends_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from argot.core.stage import run

    use("http://127.0.0.1:9", "openai")
    content = (
        Path("params.yaml").read_text().replace("base_url: http://127.0.0.1:9/v1", "base_url: ''")
    )
    Path("params.yaml").write_text(content)
    change()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SystemExit) as end:
        run("synthesize", synthesize.main)
    assert end.value.code == 2
    assert (
        capsys.readouterr().err
        == "synthesize: error: no key for openai: set OPENAI_API_KEY in the environment (in no file)\n"
    )


def test_no_client_is_imported_where_no_model_is_asked(project: Path) -> None:
    import subprocess

    code = "import sys, stages.synthesize as s; s.main(); print({'openai', 'anthropic', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stdout.strip() == "set()"
