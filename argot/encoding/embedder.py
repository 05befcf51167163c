"""Texts to vectors by any sentence-transformers model, with the prompts that the model asks for.

A vector is a function of its text alone, to the last bit: a batch has a fixed number of rows and a
fixed length, and one thread computes it, so that neighbours, order and number of threads change
nothing. With `SentenceTransformer.encode` they do.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from argot.encoding.fast.precision import Known, Precision, resolved
from argot.encoding.store import vectors as stored
from argot.encoding.store.vectors import shorten
from argot.errors import ModelError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from argot.encoding.fast.light import Light
    from argot.encoding.fast.plain import Plain

Role = Literal["query", "passage"]
ROLES: tuple[Role, ...] = ("query", "passage")
TASKS: dict[Role, str] = {"query": "query", "passage": "document"}
# The shape of a batch: its least rows, its tokens, and the step of its length. Changing one changes
# the last bits of every vector. On a CPU few rows are as fast as many, and waste little where texts
# of a length are rare.
ROWS = 4
# Rows of a batch of questions, which people ask one by one. In bfloat16 reading the weights takes
# longer than the products, so that two cost little more than one.
ASKED: dict[Known, int] = {"float32": 1, "bfloat16": 2}
TOKENS = {"cpu": 256, "mps": 256, "cuda": 16_384}
STEP = 16
ONLY_IDS = {"return_attention_mask": False, "return_token_type_ids": False}
# Texts tokenized at once: while it works, a tokenizer needs fifty times the memory of its tokens.
TOKENIZED = 4096
FAST = [f"fast/{name}.py" for name in ("bert", "folder", "light", "onednn", "precision", "threads")]
CODE = (
    __file__,
    stored.__file__,
    *(str(Path(__file__).parent / name) for name in ("token_encoder.py", "store/tokens.py", *FAST)),
)
DECIDING = ("torch", "transformers", "tokenizers", "sentence-transformers", "numpy", "scipy")
# Fewer tokens than these take less than two seconds, and show no progress.
LONG = 20_000
# Without one of these, or *.model, transformers makes an empty tokenizer that knows no word.
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json")
PROBE = "Which shape has a probe?"


Shape = tuple[list[int], int]  # a batch's rows of the texts, and the length that they are padded to
Made = TypeVar("Made")


class Batch(NamedTuple):
    """What one forward pass gives: the rows of its texts, and of each text its vector and tokens.

    Vectors, (texts, dimension), are normalised. `ids` are of all tokens, special ones too; `states`
    are the last layer's, (tokens, width) a text, not normalised; torch's on the model's device.
    """

    rows: list[int]
    vectors: NDArray[np.float32]
    ids: list[NDArray[np.int32]]
    states: Sequence[torch.Tensor | NDArray[np.float32]]


class Embedder:
    """A loaded model. Get one by `Embedder.load`.

    On a CPU queries are encoded as people ask, one or two at once; with `bulk` as passages are.
    """

    def __init__(
        self,
        folder: Path,
        model: SentenceTransformer | Light | Plain,
        dimension: int | None = None,
        precision: Known = "float32",
        bulk: bool = False,
    ) -> None:
        self.folder = folder
        self._model: Any = model
        self.precision = precision
        self.bulk = bulk
        self.prompts = read_prompts(folder)
        self.max_tokens = int(model.max_seq_length or self.tokenizer.model_max_length)
        whole = int(model.get_embedding_dimension() or 0)
        self.dimension = whole if dimension is None else dimension
        if not 0 < self.dimension <= whole:
            raise ModelError(
                f"{folder}: its vectors have {whole} dimensions and can't be cut to {dimension}"
            )
        self._device: Any = model.device
        # Whether a tokenizer cuts is part of its state, which threads would change for each other.
        self._tokenizing = threading.Lock()
        self._prompt_tokens = {role: self._check_tokens(role) for role in ROLES}

    @classmethod
    def load(
        cls,
        folder: Path,
        device: str = "auto",
        dimension: int | None = None,
        precision: Precision = "float32",
        bulk: bool = False,
        once: bool = False,
    ) -> Embedder:
        """Load the sentence-transformers model in `folder`; `device` is auto, cpu, cuda or mps.

        With `dimension`, vectors are cut to their first components (Matryoshka) and normalised
        again. Matrices are multiplied in `precision`; `auto` is the faster one of this machine.
        With `bulk`, queries are encoded several at once, for stages that have thousands of them.
        With `once`, for a single question, a BERT is read without torch where no device is named,
        and multiplies in float32.
        Raises ModelError where the folder is incomplete, damaged, or would run code of its own.
        """
        with loading(folder):
            check_folder(folder)
            if once and device == "auto":
                from argot.encoding.fast.plain import PlainEmbedder, read_plain

                if plain := read_plain(folder):
                    return PlainEmbedder(folder, plain, dimension)
            import torch

            from argot.encoding.fast.bert import simplify
            from argot.encoding.fast.light import read
            from argot.encoding.fast.onednn import pack

            on_cpu = device == "cpu" or (device == "auto" and not torch.accelerator.is_available())
            # The same bits without the libraries, whose import takes seconds.
            known = resolved(precision, "cpu")
            if on_cpu and (light := read(folder, getattr(torch, known))):
                return cls(folder, light, dimension, known, bulk)
            model = load_model(folder, device).eval()
            known = resolved(precision, model.device.type)
            if model.device.type == "cpu":
                pack(model, getattr(torch, known))
                simplify(model)
            return cls(folder, model, dimension, known, bulk)

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""
        return str(self._device.type)

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer, one of transformers."""
        return self._model.tokenizer

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 over names and bytes of the model's files, in hex."""
        return fingerprint(self.folder)

    @cached_property
    def identity(self) -> str:
        """A hash of all that decides the bits of vectors and tokens beside the text: 32 hex digits.

        That is the model, this code, the libraries, the device, and how it was loaded.
        """
        code = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in CODE]
        versions = [f"{name}=={version(name)}" for name in DECIDING]
        how = [self.precision, self.dimension, self.bulk]
        kind = [self._device.type, *map(str, how)]
        return hashlib.sha256(
            "\n".join([self.fingerprint, *code, *versions, *kind]).encode()
        ).hexdigest()[:32]

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Normalised vectors, (texts, dimension), of queries with the model's query prompt."""
        return self._encode(texts, "query")

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Normalised vectors, (texts, dimension), of passages with the model's passage prompt."""
        return self._encode(texts, "passage")

    def token_counts(self, texts: Sequence[str], role: Role = "passage") -> NDArray[np.int64]:
        """Tokens of each whole text with its prompt, (texts,), of which `max_tokens` are read."""
        return np.array([len(ids) for ids in self.tokenize(texts, role, cut=False)], dtype=np.int64)

    def encode_stream(
        self, texts: Sequence[str], role: Role
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Rows of `texts` and their vectors, batch by batch as each is done, longest first."""
        return self.forward_stream(texts, role, lambda batch: (batch.rows, batch.vectors))

    def forward_stream(
        self, texts: Sequence[str], role: Role, made: Callable[[Batch], Made]
    ) -> Iterator[Made]:
        """What `made` makes of each batch, in the thread that encoded it, longest texts first."""
        tokens = [np.array(ids, dtype=np.int32) for ids in self.tokenize(texts, role, cut=True)]
        batches = self._batches([len(ids) for ids in tokens], role)

        def work(shape: Shape) -> Made:
            batch = self._encoded(tokens, role, shape)
            finite = np.isfinite(batch.vectors).all(axis=1)
            if not finite.all():
                text = texts[batch.rows[int(np.argmin(finite))]]
                raise ModelError(
                    f"{self.folder} gives no finite vector for {text[:60]!r}; its weights are "
                    "damaged: restore them by `dvc checkout`"
                )
            return made(batch)

        return self._each(work, batches)

    def _each(self, work: Callable[[Shape], Made], batches: Iterator[Shape]) -> Iterator[Made]:
        """What `work` makes of each batch, on a CPU one on each core."""
        if self._device.type != "cpu":
            return map(work, batches)
        from argot.encoding.fast.threads import one_thread_each

        return one_thread_each(work, batches)

    def _encoded(self, tokens: Sequence[NDArray[np.int32]], role: Role, shape: Shape) -> Batch:
        """One batch: some rows of the texts' `tokens`, padded to a length."""
        import torch

        rows, length = shape
        ids = [tokens[row] for row in rows]
        device, half = self._device.type, self.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            vectors, states = self._forward(ids, length, role)
        return Batch(rows, vectors, ids, states)

    def _encode(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows, values in self.encode_stream(texts, role):
            vectors[rows] = values
        return vectors

    def _batches(self, lengths: Sequence[int], role: Role) -> Iterator[Shape]:
        """Each batch's rows and length: texts of about one length, longest first.

        So a machine with too little memory fails at once, not in the end.
        """
        buckets: dict[int, list[int]] = {}
        step = 1 if self._asked(role) == 1 else STEP
        for row, length in enumerate(lengths):
            buckets.setdefault(min(-(-length // step) * step, self.max_tokens), []).append(row)
        with _progress(total=sum(lengths)) as advance:
            for bucket in sorted(buckets, reverse=True):
                count = self._rows(bucket, role)
                for start in range(0, len(buckets[bucket]), count):
                    rows = buckets[bucket][start : start + count]
                    yield rows, bucket
                    advance(sum(lengths[row] for row in rows))

    def _rows(self, length: int, role: Role) -> int:
        """Rows of a batch whose texts have this length: always the same."""
        return self._asked(role) or max(ROWS, TOKENS[self._device.type] // length)

    def _asked(self, role: Role) -> int:
        """Rows of a batch of queries that people ask; 0 where texts are encoded in bulk."""
        one_by_one = role == "query" and self._device.type == "cpu" and not self.bulk
        return ASKED[self.precision] if one_by_one else 0

    def _forward(
        self, tokens: Sequence[NDArray[np.int32]], length: int, role: Role
    ) -> tuple[NDArray[np.float32], list[torch.Tensor]]:
        import torch

        tokenizer, count = self._model.tokenizer, self._rows(length, role)
        ids = np.full((count, length), tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros((count, length), dtype=np.int64)
        starts = [0 if tokenizer.padding_side == "right" else length - len(own) for own in tokens]
        # Empty rows of a batch repeat its texts: rows of padding alone give NaN in some models.
        for row in range(count):
            own, start = tokens[row % len(tokens)], starts[row % len(tokens)]
            ids[row, start : start + len(own)] = own
            mask[row, start : start + len(own)] = 1
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        inputs: dict[str, Any] = {
            name: tensor.to(self._device) for name, tensor in features.items()
        }
        if self._prompt_tokens[role]:
            inputs["prompt_length"] = self._prompt_tokens[role]
        output = self._model(inputs, task=TASKS[role])
        vectors = output["sentence_embedding"][: len(tokens)].float().cpu().numpy()
        whole = shorten(vectors, vectors.shape[1])
        states = [
            output["token_embeddings"][row, start : start + len(own)]
            for row, (own, start) in enumerate(zip(tokens, starts, strict=True))
        ]
        if self.dimension == vectors.shape[1]:
            return whole, states
        return shorten(whole, self.dimension), states

    def tokenize(self, texts: Sequence[str], role: Role, cut: bool) -> Iterator[list[int]]:
        """The ids of each text's tokens, with its prompt; with `cut` only those that are read."""
        for start in range(0, len(texts), TOKENIZED):
            prompted = [self.prompts[role] + text for text in texts[start : start + TOKENIZED]]
            with self._tokenizing:
                found = self._model.tokenizer(prompted, truncation=cut, verbose=False, **ONLY_IDS)[
                    "input_ids"
                ]
            yield from found

    def _check_tokens(self, role: Role) -> int:
        """The number of the prompt's tokens; ModelError where the input is more than the text.

        A chat template, for example, would add to it.
        """
        features = self._model.preprocess([PROBE], prompt=self.prompts[role], task=TASKS[role])
        if features["input_ids"][0].tolist() != next(self.tokenize([PROBE], role, cut=True)):
            raise ModelError(
                f"{self.folder}: its input is more than prompt and text, which Argot doesn't "
                "support; take another fetch.model"
            )
        return int(features.get("prompt_length") or 0)


def load_model(folder: Path, device: str) -> SentenceTransformer:
    """The sentence-transformers model in `folder`, in float32; `device` is auto, cpu, cuda or mps.

    Raises ModelError where the folder is incomplete, damaged, or would run code of its own.
    """
    check_folder(folder)
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("machine.device: cuda: torch finds no GPU here; set it to auto")
    with loading(folder):
        return SentenceTransformer(
            str(folder),
            device=None if device == "auto" else device,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Any library may fail on a damaged folder, each with errors of its own: one ModelError."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            f"{folder} can't be loaded as a model ({reason}); restore it by `dvc checkout`"
        ) from error


def read_prompts(folder: Path) -> dict[Role, str]:
    """What the model in `folder` wants before a query and before a passage; empty where nothing.

    The passage's prompt is named `document`, `passage` or `corpus`. sentence-transformers 6.2 means
    to look for all three, but takes a missing `document` for an empty prompt, so that e5's
    `passage` is silently lost.
    """
    known = configured_prompts(folder)
    passages = (known.get(name) for name in ("document", "passage", "corpus"))
    return {
        "query": str(known.get("query") or ""),
        "passage": str(next(filter(None, passages), "")),
    }


def configured_prompts(folder: Path) -> dict[str, str]:
    """The prompts of the model's own configuration, by the names that it gives them."""
    path = folder / "config_sentence_transformers.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).get("prompts") or {})
    except (ValueError, TypeError, AttributeError):
        raise ModelError(f"{path} is damaged; restore it by `dvc checkout`") from None


def fingerprint(folder: Path) -> str:
    """The SHA-256 over names and bytes of all files of a model's folder, in hex."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as file:
            total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def check_folder(folder: Path) -> None:
    """Raise ModelError unless `folder` names its modules, and these are sentence-transformers' own.

    Without modules.json the library would guess the pooling (FlagEmbedding #1326). A module whose
    type has another name would be imported from the folder: code that nobody allowed.
    """
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        types = [str(module["type"]) for module in modules]
    except FileNotFoundError:
        raise ModelError(
            f"{folder}/modules.json is missing: the pooling is unknown; run `dvc repro fetch`"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{folder}/modules.json is damaged; restore it by `dvc checkout`"
        ) from None
    if not any((folder / name).is_file() for name in TOKENIZERS) and not list(
        folder.glob("*.model")
    ):
        raise ModelError(
            f"{folder} has no tokenizer, such as {TOKENIZERS[0]}; restore it by `dvc checkout`"
        )
    for name in types:
        if not name.startswith("sentence_transformers."):
            raise ModelError(
                f"{folder}/modules.json: '{name}' is code of the model's own, which is not allowed"
            )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of tokens on a terminal's stderr, where the work takes some seconds."""
    if total < LONG or not sys.stderr.isatty():
        yield lambda tokens: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("embed", total=total)
        yield lambda tokens: progress.advance(task, tokens)
