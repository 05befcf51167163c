"""The training step: all its queries rank all its passages, and learn the teacher's ranking.

On a CPU a passage costs ten times as much to encode as a query. So a step is made of passages that
are hard for each other, each encoded once; each brings several queries, and every query ranks all
passages of the step. For queries made by rule the loss is CADET's: the divergence from the
teacher's ranking, and a little InfoNCE that leaves out what may be relevant (arXiv 2505.19274:
InfoNCE alone often makes a good model worse). Queries whose label can be trusted learn by InfoNCE
alone: a teacher that is half BM25 would overrule labels in other words than the passage's. Token
vectors, by which the release ranks too, learn all labels by InfoNCE: the teacher's ranking would
harm them (docs/LOG.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.data import SequentialSampler

from argot.encoding.embedder import TASKS, Role
from argot.encoding.fast.precision import Known
from argot.errors import ModelError
from argot.tables.chunks import Corpus
from argot.training.student.abbreviations import Aliases
from argot.training.student.data import TrainingData
from argot.training.student.distributed import all_gather, longest, shard
from argot.training.student.maxsim import TokenWeights, maxsim, weighted
from argot.training.student.phrasing import noisy

# What each token of a text weighs, among a model's features.
WEIGHTS = "weights"
IGNORED = -1.0e4  # added to a logit that must not count; finite, so that no gradient is NaN

Features = dict[str, Any]
Loss = Callable[[Tensor, Tensor], Tensor]  # of logits and labels
Preprocess = Callable[..., Features]  # a model's own: texts to tokens


@dataclass(frozen=True)
class Step:
    """What one step trains on: `passages` (p,) and `queries` (q,), by their rows.

    `own`, (q,), is the column among the step's passages that answers each query.
    """

    passages: NDArray[np.int64]
    queries: NDArray[np.int64]
    own: NDArray[np.int64]


@dataclass(frozen=True)
class Phrasing:
    """How queries are rewritten at each step; the teacher's scores are those of the plain query.

    `noisy_share` of the queries look as people type them, `abbreviation_share` have abbreviations
    written out, or long forms abbreviated. The seed and the step's number decide which.
    """

    noisy_share: float
    abbreviation_share: float
    aliases: Aliases
    seed: int

    def rewrite(self, query: str, language: str, random: np.random.Generator) -> str:
        """The query in other words, or as it is."""
        if random.random() < self.abbreviation_share:
            query = self.aliases.swapped(query)
        return noisy(query, language, random) if random.random() < self.noisy_share else query


class Collator:
    """Makes a step's tensors: tokens of queries and passages, and the label.

    The label, (4, queries, passages), holds the teacher's scores, its masks, each query's own
    passage, and in all columns of a query whether its own passage can be trusted. `weights` are
    those of the texts' tokens, or None where the release isn't searched by tokens.
    """

    valid_label_columns = ("label",)

    def __init__(
        self,
        passes: list[list[Step]],
        data: TrainingData,
        corpus: Corpus,
        preprocess: Preprocess,
        prompts: dict[Role, str],
        phrasing: Phrasing,
        weights: TokenWeights | None = None,
    ) -> None:
        self.weights = weights
        self.steps = [step for steps in passes for step in steps]
        self.steps_a_pass = len(passes[0])
        self.phrasing = phrasing
        self.data = data
        self.corpus = corpus
        self.preprocess = preprocess
        self.prompts = prompts

    def __call__(self, rows: list[dict[str, int]]) -> dict[str, Any]:
        """The batch of the one step that `rows` names: this process's tokens, the whole label."""
        number = rows[0]["step"]
        step = self.steps[number]
        scores, masked = self.data.teacher.table(step.queries, step.passages)
        own = np.zeros_like(scores)
        own[np.arange(len(own)), step.own] = 1
        trusted = np.broadcast_to(self.data.trusted[step.queries, None], scores.shape)
        planes = [scores, masked.astype(np.float32), own, trusted.astype(np.float32)]
        batch = {"label": torch.from_numpy(np.stack(planes))}
        random = np.random.default_rng([self.phrasing.seed, number])
        for name, texts in self.texts(step, random).items():
            features = self.preprocess(shard(texts), prompt=self.prompts[name], task=TASKS[name])
            if self.weights:
                features[WEIGHTS] = self.weights.of(features, name)
            batch |= {f"{name}_{key}": value for key, value in features.items()}
        return batch

    def texts(self, step: Step, random: np.random.Generator) -> dict[Role, list[str]]:
        """The texts of the step's queries, some of them rewritten, and of its passages."""
        passages = [self.corpus.passages[at] for at in step.passages]
        languages = [self.corpus.languages[at] for at in step.passages[step.own]]
        plain = [self.data.queries[at] for at in step.queries]
        queries = [
            self.phrasing.rewrite(query, language, random)
            for query, language in zip(plain, languages, strict=True)
        ]
        return {"query": queries, "passage": passages}


class InOrder(DefaultBatchSampler):
    """One planned step after the other."""

    def __init__(self, rows: Sized, **_: Any) -> None:
        super().__init__(SequentialSampler(rows), batch_size=1, drop_last=False)


@dataclass(frozen=True)
class Memory:
    """Padded tokens a mini-batch, and whether activations are computed again for the gradient.

    With `recompute` only one mini-batch's activations are in memory at a time, while the loss is
    the whole step's, as in GradCache (Gao et al. 2021).
    """

    tokens: int
    recompute: bool = False


@dataclass(frozen=True)
class Objective:
    """What the loss weighs: the section `train` explains each."""

    temperature: float
    teacher_temperature: float
    contrast: float
    trusted_share: float


class TextVectors(NamedTuple):
    """Texts as the student encodes them: normalised vectors, (texts, dimension), and tokens.

    The tokens, (texts, tokens, width), are `weighted`; None where they are not trained.
    """

    vectors: Tensor
    tokens: Tensor | None


class RankingLoss(nn.Module):
    """KL(teacher ‖ student) plus `contrast` times InfoNCE; for trusted labels InfoNCE alone.

    Both are over a step's passages; InfoNCE leaves out those that are masked. With `dimensions`,
    the loss of the vectors is the mean over whole ones and ones cut to each of these sizes, so that
    cut vectors rank well too (Matryoshka, arXiv 2205.13147). Where tokens are trained, InfoNCE by
    MaxSim is added. The model multiplies in `precision`; weights, their gradients and the loss are
    float32.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        memory: Memory,
        dimensions: Sequence[int] = (),
        precision: Known = "float32",
    ) -> None:
        super().__init__()
        self.precision = precision
        self.model = model
        self.objective = objective
        self.memory = memory
        self.dimensions = dimensions

    def forward(self, features: list[Features], labels: Tensor) -> Tensor:
        """The step's loss; ModelError if it is not a finite number."""
        parts = zip(features, labels.shape[1:], strict=True)
        queries, passages = (self.encode(part, texts) for part, texts in parts)
        loss = torch.stack(list(self.losses(queries.vectors, passages.vectors, labels))).mean()
        if queries.tokens is not None and passages.tokens is not None:
            logits = maxsim(queries.tokens, passages.tokens) / self.objective.temperature
            loss = loss + mixed(contrast_loss, logits, labels, self.objective.trusted_share)
        if not torch.isfinite(loss):
            raise ModelError(
                "train: the loss is not a finite number; lower train.learning_rate, or check the "
                "base model"
            )
        return loss

    def losses(self, queries: Tensor, passages: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """The loss of normalised vectors, whole and cut to each of the smaller sizes."""
        for size in (queries.shape[1], *self.dimensions):
            asked, found = (
                functional.normalize(vectors[:, :size], dim=-1) for vectors in (queries, passages)
            )
            yield step_loss(asked @ found.T / self.objective.temperature, labels, self.objective)

    def encode(self, features: Features, texts: int) -> TextVectors:
        """All the step's `texts`, out of this process's; in mini-batches of similar length."""
        lengths = features["attention_mask"].sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        back = torch.argsort(order)
        found = []
        for rows in mini_batches(lengths[order].tolist(), self.memory.tokens):
            part = select(features, order[rows])
            again = self.memory.recompute
            found.append(
                checkpoint(self._encoded, part, use_reentrant=False)
                if again
                else self._encoded(part)
            )
        vectors = all_gather(torch.cat([part.vectors for part in found])[back], texts)
        tokens = [part.tokens for part in found if part.tokens is not None]
        if not tokens:
            return TextVectors(vectors, None)
        length = longest(features["attention_mask"])
        own = torch.cat([padded(part, length) for part in tokens])[back]
        return TextVectors(vectors, all_gather(own.flatten(1), texts).view(texts, length, -1))

    def _encoded(self, features: Features) -> TextVectors:
        device, half = features["input_ids"].device.type, self.precision == "bfloat16"
        with torch.autocast(device, torch.bfloat16, enabled=half):
            output = self.model(features)
        vectors = functional.normalize(output["sentence_embedding"].float(), dim=-1)
        if WEIGHTS not in features:
            return TextVectors(vectors, None)
        return TextVectors(vectors, weighted(output["token_embeddings"], features[WEIGHTS]))


def step_loss(logits: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    """The loss of `logits`, (queries, passages), by vectors; `labels` are the Collator's."""
    by_rule = partial(ranking_loss, objective=objective)
    return mixed(by_rule, logits, labels, objective.trusted_share)


def mixed(by_rule: Loss, logits: Tensor, labels: Tensor, share: float) -> Tensor:
    """The loss `by_rule` of labels made by rule, and InfoNCE of those that can be trusted.

    The latter have `share` of the loss, however many queries of either kind the step has.
    """
    trusted = labels[3, :, 0] > 0
    if not trusted.any():
        return by_rule(logits, labels)
    contrasted = contrast_loss(logits[trusted], labels[:, trusted])
    if trusted.all():
        return contrasted
    return (1 - share) * by_rule(logits[~trusted], labels[:, ~trusted]) + share * contrasted


def ranking_loss(logits: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    """The divergence from the teacher's ranking, and `contrast` times InfoNCE."""
    target = functional.softmax(labels[0] / objective.teacher_temperature, dim=1)
    loss = functional.kl_div(functional.log_softmax(logits, dim=1), target, reduction="batchmean")
    return loss + objective.contrast * contrast_loss(logits, labels)


def contrast_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """InfoNCE (arXiv 1807.03748) of any score of queries and passages, without masked passages."""
    _, masked, own = labels[:3]
    open_logits = logits + IGNORED * masked * (1 - own)
    positive: Tensor = (functional.log_softmax(open_logits, dim=1) * own).sum(dim=1).mean()
    return -positive


def mini_batches(lengths: Sequence[int], tokens: int) -> Iterator[slice]:
    """Slices of texts sorted longest first, each of at most `tokens` tokens when padded.

    A text that is longer by itself has a slice of its own.
    """
    start = 0
    while start < len(lengths):
        count = max(1, tokens // max(1, lengths[start]))
        yield slice(start, start + count)
        start += count


def padded(tokens: Tensor, length: int) -> Tensor:
    """Tokens, (texts, tokens, width), with zeros behind them up to `length` tokens."""
    return functional.pad(tokens, (0, 0, 0, length - tokens.shape[1]))


def select(features: Features, rows: Tensor) -> Features:
    """Some rows of a batch, without the columns that are padding in all of them."""
    used = features["attention_mask"][rows].any(dim=0)
    return {
        name: value[rows][:, used]
        if isinstance(value, Tensor) and value.shape == features["attention_mask"].shape
        else value
        for name, value in features.items()
    }


def plan(
    own: NDArray[np.int64],
    trusted: NDArray[np.bool_],
    rivals: Sequence[NDArray[np.int64]],
    shape: Shape,
    generator: np.random.Generator,
) -> Iterator[Step]:
    """The steps of one pass over the passages that have queries.

    `own`, (queries,), is each query's passage; `rivals` holds for each passage those that the
    teacher confuses with it. A step is filled with hard groups, a passage with its rivals. So each
    passage's hard negatives are the positives of other queries, and cost nothing. Of a passage's
    trusted queries, (queries,), and of its others up to `shape.queries` each are drawn.
    """
    present = np.unique(own)
    kinds = [_by_passage(own, np.flatnonzero(kind)) for kind in (~trusted, trusted)]
    grouped = list(hard_groups(generator.permutation(present), rivals, shape.hard_group))
    order = [place for at in generator.permutation(len(grouped)) for place in grouped[at]]
    for start in range(0, len(order), shape.passages):
        chosen = np.array(order[start : start + shape.passages])
        drawn, columns = [], []
        for column, place in enumerate(chosen.tolist()):
            for of in kinds:
                if place in of:
                    drawn.append(generator.permutation(of[place])[: shape.queries])
                    columns += [column] * len(drawn[-1])
        yield Step(chosen, np.concatenate(drawn), np.array(columns))


def _by_passage(own: NDArray[np.int64], queries: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Those of the queries that each passage has, by the passage."""
    queries = queries[np.argsort(own[queries], kind="stable")]
    present, starts = np.unique(own[queries], return_index=True)
    return dict(zip(present.tolist(), np.split(queries, starts)[1:], strict=True))


@dataclass(frozen=True)
class Shape:
    """Passages a step, queries drawn for each, and the size of a group of hard negatives."""

    passages: int
    queries: int
    hard_group: int


def hard_groups(
    order: NDArray[np.int64], rivals: Sequence[NDArray[np.int64]], count: int
) -> Iterator[list[int]]:
    """Split passages into groups of at most `count`: the next in `order`, with its free rivals."""
    free = set(order.tolist())
    for place in order.tolist():
        if place not in free:
            continue
        free.discard(place)
        group = [place]
        for rival in rivals[place].tolist():
            if len(group) < count and rival in free:
                free.discard(rival)
                group.append(rival)
        yield group
