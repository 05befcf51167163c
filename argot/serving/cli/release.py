"""`argot info`, `argot verify`, `argot export` and `argot mcp`: a release as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argot.core.terminal import escaped, printable
from argot.errors import InputError
from argot.serving.cli.search import RELEASE, AskingGroups, Release, chosen_groups

if TYPE_CHECKING:
    from argot.search.retriever import Retriever
    from argot.serving.adapters.runtimes import Runtime

FORMATS = ("parquet", "jsonl", "npy", "onnx", "openvino")


def info(
    release: Release = RELEASE,
    as_json: Annotated[bool, typer.Option("--json", help="The manifest itself.")] = False,
) -> None:
    """Print what a release is: its model, verdict, search mode, rankers and size.

    argot info --release models/release
    """
    from argot.search.release import read_manifest

    manifest = read_manifest(release)
    if as_json:
        typer.echo(escaped(manifest.model_dump_json(indent=2)))
        return
    fusion, files = manifest.verdict.fusion, manifest.files
    weights = ", ".join(f"{weight:.2f} {name}" for name, weight in fusion.weights.items())
    for name, value in {
        "model": f"{manifest.verdict.model} (verdict: {manifest.verdict.verdict})",
        "search": f"{manifest.verdict.mode} ({fusion.method}: {weights})",
        "passages": f"{manifest.passages:,} × {manifest.dimension} dimensions, {manifest.kind}",
        "rankers": ", ".join(manifest.rankers),
        "age": manifest.age,
        **({"rights": "by the groups in documents' metadata"} if manifest.groups else {}),
        "fingerprint": manifest.fingerprint,
        "bytes": f"{sum(file.bytes for file in files.values()):,} in {len(files)} files",
    }.items():
        typer.echo(f"{name:12} {printable(value)}")


def verify(release: Release = RELEASE) -> None:
    """Check a release: hash every file, open every part, and encode some passages again.

    The vectors and the token vectors must be those of the release's own model.

    argot verify --release models/release && echo sound
    """
    from argot.search.retriever import Retriever

    retriever = Retriever.load(release)
    checked = retriever.verify()
    manifest = retriever.manifest
    passages = f"{manifest.passages:,} passages, {checked} of them encoded again"
    typer.echo(f"{release} is sound: {passages}; {printable(manifest.age)}")


def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write.", show_default=False)],
    format: Annotated[str, typer.Option(help="parquet, jsonl, npy, onnx or openvino.")] = "parquet",
    groups: AskingGroups = None,
    release: Release = RELEASE,
) -> None:
    """Write ids, vectors and texts for another store, with the fingerprint of their model.

    argot export out --format jsonl && head -1 out/passages.jsonl

    parquet also has the token vectors of a release that is searched by tokens (docs/SCALE.md).
    onnx and openvino write the model instead, in float32 and in 8 bits (docs/integrate.md). An
    earlier export in the folder is replaced. A folder that holds anything else is refused.
    """
    if format not in FORMATS:
        raise InputError(f"--format must be {', '.join(FORMATS)}, got '{format}'")
    from argot.search.retriever import Retriever
    from argot.serving.adapters.export import export_passages

    retriever = Retriever.load(release)
    if format in ("onnx", "openvino"):
        if groups:
            raise InputError(f"--format {format} writes no passages; leave out --groups")
        _export_embedder(retriever, folder, format)  # type: ignore[arg-type]
        return
    allowed = chosen_groups(groups, retriever.manifest)
    count = export_passages(retriever, folder, format, allowed)  # type: ignore[arg-type]
    typer.echo(f"{count:,} passages → {folder}")


def _export_embedder(retriever: Retriever, folder: Path, runtime: Runtime) -> None:
    from argot.serving.adapters.runtimes import export_embedder

    for one in export_embedder(retriever, folder, runtime):
        cosine = f"cosine with the release's vectors {one.mean:.4f}, at worst {one.worst:.4f}"
        line = f"{folder / one.file}: {one.bytes / 1e6:,.1f} MB, {cosine}"
        if one.queries:
            line += (
                f"; nDCG@10 by vectors alone {one.ndcg:.4f}, the release's {one.expected_ndcg:.4f}"
            )
            line += f" ({one.queries:,} queries)"
        typer.echo(printable(line))


def mcp(
    name: Annotated[
        str, typer.Option(help="What the documents are, for the agent: 'the handbook of Acme'.")
    ] = "",
    groups: AskingGroups = None,
    release: Release = RELEASE,
) -> None:
    """Offer search and fetch to agents: Model Context Protocol on standard input and output.

    claude mcp add docs -- argot mcp --release /path/to/models/release

    A release with access rights needs --groups here: an agent is not the owner of the files.
    """
    from argot.search.retriever import Retriever
    from argot.serving.adapters.mcp import search_server

    search_server(Retriever.load(release), groups or None, name).run()
