"""A release's embedder for ONNX Runtime and OpenVINO, which encode without torch.

One graph makes the ids of a text's tokens into the vector that the release has for it: pooling,
normalising and a shorter dimension are in the graph. The folder is one of sentence-transformers'
too, for its backends `onnx` and `openvino`. What was exported is compared with the release's own
vectors before it replaces anything.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from argot.core.files import replacing_folder, write_json
from argot.core.parquet import read_table, rows_at
from argot.encoding.embedder import PROBE, ROLES, load_model
from argot.errors import ModelError
from argot.evaluation.metrics import CUTOFF, Relevance, ndcg
from argot.ranking.hits import tie_order
from argot.search.release import EMBEDDER
from argot.search.retriever import Retriever
from argot.serving.adapters.export import ABOUT, check_target
from argot.tables import judgments
from argot.tables.chunks import passages_of

Runtime = Literal["onnx", "openvino"]
Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
# The files of each runtime, where sentence-transformers looks for them: float32, then 8 bits.
FILES = {
    "onnx": ("onnx/model.onnx", "onnx/model_int8.onnx"),
    "openvino": ("openvino/openvino_model.xml", "openvino/openvino_model_int8.xml"),
}
INPUTS, OUTPUTS = ("input_ids", "attention_mask"), ("last_hidden_state", "sentence_embedding")
# The least cosine of a float32 vector and the release's own. What was measured is 1.000000; a
# prompt, a pooling or a part of the model that the graph lacks costs far more than this allows.
SAME = 0.9999
# So many passages, spread evenly, are encoded by each file, as passages and as queries.
COMPARED = 32
BATCH = 8


@dataclass(frozen=True)
class Measured:
    """How a file's vectors differ from the release's own.

    `worst` and `mean` are cosines. nDCG@10 is that of the release's passages by vectors alone, with
    the judged queries encoded by the file, and by the release; 0 where there are no such queries.
    """

    file: str
    bytes: int
    worst: float
    mean: float
    queries: int
    ndcg: float
    expected_ndcg: float


def export_embedder(retriever: Retriever, folder: Path, runtime: Runtime) -> list[Measured]:
    """Write the release's model to `folder`, in float32 and in 8 bits, and measure both.

    data/judgments.parquet in the working directory gives the judged queries, if it is of this
    release. An earlier export is replaced. Raises InputError where `folder` holds anything else,
    and ModelError where the model can't be exported, or its float32 vectors aren't the release's.
    """
    folder, source = folder.absolute(), retriever.folder / EMBEDDER
    check_target(folder, {*FILES, *(path.name for path in source.iterdir())})
    with replacing_folder(folder) as beside, quiet():
        _copy_configuration(source, beside)
        _write_graphs(retriever, beside, runtime)
        measured = _measure(retriever, beside, FILES[runtime])
        if not measured[0].worst >= SAME:
            raise ModelError(
                f"{source}: its vectors by {runtime} have a cosine of {measured[0].worst:.4f} with "
                f"the release's own, expected at least {SAME}; this model can't be exported"
            )
        about = {
            **{field: getattr(retriever.manifest, field) for field in ("fingerprint", "dimension")},
            "prompts": retriever.embedder.prompts,
            "files": [asdict(one) for one in measured],
        }
        write_json(beside / ABOUT, about)
    return measured


def load(folder: Path, file: str, threads: int = 0) -> Encode:
    """Encode texts, prompts included, by a file of an export: (texts, dimension).

    0 threads are as many as the runtime takes by itself.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    run = (_by_onnx if file.endswith(".onnx") else _by_openvino)(folder / file, threads)

    def encode(texts: Sequence[str]) -> Vectors:
        found = tokenizer.encode_batch(list(texts))
        ids, masks = [one.ids for one in found], [one.attention_mask for one in found]
        return np.asarray(run({"input_ids": np.array(ids), "attention_mask": np.array(masks)}))

    return encode


@contextmanager
def quiet() -> Iterator[None]:
    """No messages of exporters and quantizers: what they did is measured."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _copy_configuration(source: Path, folder: Path) -> None:
    """What sentence-transformers reads beside the weights of the model itself."""

    def without_weights(place: str, names: list[str]) -> list[str]:
        weights = [name for name in names if ".safetensors" in name or name in FILES]
        return weights if Path(place) == source else []

    shutil.copytree(source, folder, ignore=without_weights, dirs_exist_ok=True)
    # Older versions, which have these backends, know the modules by these names; so do newer ones.
    modules = json.loads((folder / "modules.json").read_bytes())
    for module in modules:
        module["type"] = f"sentence_transformers.models.{module['type'].rpartition('.')[2]}"
    write_json(folder / "modules.json", modules)


def _write_graphs(retriever: Retriever, folder: Path, runtime: Runtime) -> None:
    """The tokenizer and both files of a runtime."""
    model = load_model(retriever.folder / EMBEDDER, "cpu").eval()
    _write_tokenizer(model.tokenizer, retriever.embedder.max_tokens, folder / "tokenizer.json")
    whole, small = (folder / file for file in FILES[runtime])
    whole.parent.mkdir()
    onnx = whole.with_name("model.onnx")
    _write_onnx(model, retriever.manifest.dimension, folder / "tokenizer.json", onnx)
    if runtime == "onnx":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(onnx, small, per_channel=True, weight_type=QuantType.QInt8)
        return
    import openvino

    # Not by `convert_model`, which reports each use to its makers; nor do nncf's 8 bits.
    graph = openvino.Core().read_model(onnx)
    openvino.save_model(graph, whole, compress_to_fp16=False)
    _compress(graph)
    openvino.save_model(graph, small, compress_to_fp16=False)
    onnx.unlink()


def _compress(graph: Any) -> None:
    """Keep the matrices of an OpenVINO graph in 8 bits, with a scale for each channel."""
    from openvino import opset13 as operators

    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_output_element_type(0).is_integral():
            continue
        values, readers = np.array(node.data), node.output(0).get_target_inputs()
        if values.ndim != 2 or not readers:
            continue
        # A channel is a row of a table that is looked up, and a column of a matrix.
        reader = next(iter(readers)).get_node()
        in_rows = reader.get_type_name() == "Gather" or reader.get_attributes().get("transpose_b")
        scales = np.abs(values).max(axis=int(bool(in_rows)), keepdims=True) / 127
        scales = np.where(scales == 0, 1, scales).astype(np.float32)
        whole = operators.convert(
            operators.constant(np.rint(values / scales).astype(np.int8)), "f32"
        )
        product = operators.multiply(whole, operators.constant(scales))
        for place in readers:
            place.replace_source_output(product.output(0))


def _write_tokenizer(tokenizer: Any, window: int, path: Path) -> None:
    """The tokenizer as transformers uses it, which cuts at the model's window and pads."""
    words = getattr(tokenizer, "backend_tokenizer", None)
    if words is None:
        raise ModelError(f"{path.name}: the model's tokenizer has no such form, so no export")
    words.enable_truncation(window, direction=tokenizer.truncation_side)
    words.enable_padding(
        direction=tokenizer.padding_side,
        pad_id=tokenizer.pad_token_id or 0,
        pad_token=tokenizer.pad_token or "",
    )
    words.save(str(path))


def _write_onnx(model: Any, dimension: int, tokenizer: Path, path: Path) -> None:
    """The model from ids to vectors, for any number of texts and tokens."""
    import torch
    from tokenizers import Tokenizer

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found = self.model(dict(zip(INPUTS, (ids, mask), strict=True)))
            vectors = torch.nn.functional.normalize(found["sentence_embedding"], dim=-1)
            cut = torch.nn.functional.normalize(vectors[:, :dimension], dim=-1)
            return found["token_embeddings"], cut

    texts = Tokenizer.from_file(str(tokenizer)).encode_batch([PROBE, PROBE[:5]])
    ids, masks = [one.ids for one in texts], [one.attention_mask for one in texts]
    free = dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)
    try:
        program = torch.onnx.export(
            Graph().eval(),
            (torch.tensor(ids), torch.tensor(masks)),
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_shapes=(free, free),
            verbose=False,
        )
    except ModuleNotFoundError:
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"torch can't write this model as ONNX ({reason})") from error
    assert program is not None
    # Each node names the files on this machine that it was made from.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    program.save(path)


def _by_onnx(path: Path, threads: int) -> Callable[[dict[str, Any]], Any]:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(OUTPUTS[1:], inputs)[0]


def _by_openvino(path: Path, threads: int) -> Callable[[dict[str, Any]], Any]:
    """In float32: OpenVINO takes bfloat16 by itself where the processor has it."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda inputs: compiled(inputs)[OUTPUTS[1]]


def _measure(retriever: Retriever, folder: Path, files: Sequence[str]) -> list[Measured]:
    """Compare each file with the release's own vectors, of passages and queries."""
    own = retriever.embedder
    rows = np.unique(np.linspace(0, retriever.manifest.passages - 1, COMPARED).astype(int))
    texts = passages_of(rows_at(retriever.chunks, rows))
    expected = np.concatenate([own.encode_queries(texts), own.encode_passages(texts)])
    prompted = [own.prompts[role] + text for role in ROLES for text in texts]
    queries, relevant = judged(retriever)
    asked = [own.prompts["query"] + query for query in queries]
    ndcg = partial(_ndcg, retriever, relevant=relevant)
    expected_ndcg = ndcg(own.encode_queries(queries))
    measured = []
    for file in files:
        encode = load(folder, file)
        cosines = np.einsum("nd,nd->n", expected, _encode(encode, prompted))
        sizes = (
            path.stat().st_size for path in (folder / file).parent.glob(f"{Path(file).stem}.*")
        )
        measured.append(
            Measured(
                file=file,
                bytes=sum(sizes),
                worst=float(cosines.min()),
                mean=float(cosines.mean()),
                queries=len(queries),
                ndcg=ndcg(_encode(encode, asked)),
                expected_ndcg=expected_ndcg,
            )
        )
    return measured


def _encode(encode: Encode, texts: Sequence[str]) -> Vectors:
    starts = range(0, len(texts), BATCH)
    batches = [encode(texts[start : start + BATCH]) for start in starts]
    return np.concatenate(batches) if batches else np.empty((0, 0), np.float32)


def judged(retriever: Retriever) -> tuple[list[str], list[list[int]]]:
    """The test queries judged in the working directory, and the rows of their relevant passages.

    They are real questions, or pairs where there are none. Those whose passages aren't all in the
    release are left out.
    """
    if not judgments.PATH.exists():
        return [], []
    rows = read_table(
        judgments.PATH, judgments.SCHEMA, ["set", "split", "system", "query", "relevant"]
    )
    system = retriever.manifest.verdict.system
    rows = rows.filter((pc.field("split") == "test") & (pc.field("system") == system))
    questions = rows.filter(pc.field("set") == "questions")
    places = {chunk: row for row, chunk in enumerate(retriever.chunks["chunk"].to_pylist())}
    found = [
        (row["query"], [places[chunk] for chunk in row["relevant"]])
        for row in (questions if len(questions) else rows).to_pylist()
        if row["relevant"] and places.keys() >= set(row["relevant"])
    ]
    return [query for query, _ in found], [relevant for _, relevant in found]


def _ndcg(retriever: Retriever, vectors: Vectors, relevant: Sequence[Sequence[int]]) -> float:
    """Mean nDCG@10 of the release's passages by these vectors of queries; 0 without queries."""
    if not relevant:
        return 0.0
    ties, relevance = tie_order(retriever.chunks["chunk"].to_pylist()), Relevance.of(relevant)
    hits = retriever.index.search(vectors, CUTOFF, ties)
    return float(ndcg(relevance.found(hits.positions), relevance.counts).mean())
