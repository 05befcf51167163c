"""Ask a model about the passages found for a question; it may search again, a few times."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from argot.errors import ProviderError
from argot.llm.calls.redact import redact
from argot.llm.providers.chat import Chat, ToolCall
from argot.search.retriever import Passage
from argot.serving.ask.chat import SEARCH
from argot.serving.ask.citations import Claim, claims_of

# The best k passages for a query, best first, of those that whoever asks may see.
Search = Callable[[str, int], list[Passage]]
# What the model gets in place of passages.
NO_SEARCH_LEFT = "No search is left: answer from the passages you have."
ONLY_SEARCH = 'The only tool is search, with {"query": "..."}.'
NOTHING_FOUND = "Nothing was found."
# Text in a passage that would end the passage's own frame, or open another one.
FRAME = re.compile(r"<(?=\s*/?\s*(?:passage|question))", re.IGNORECASE)


@dataclass(frozen=True)
class Searched:
    """A search was made; the first one is for the question itself."""

    query: str
    found: int


@dataclass(frozen=True)
class Said:
    """A piece of the model's answer, as it comes."""

    text: str


@dataclass(frozen=True)
class Answer:
    """What came of a question.

    Where no model answered, `problem` says why, and the passages are all there is.
    """

    question: str
    text: str
    claims: tuple[Claim, ...]
    passages: tuple[Passage, ...]  # passage [1] is the first
    searches: tuple[str, ...]
    problem: str = ""

    @property
    def answered(self) -> bool:
        """Do the documents hold an answer?"""
        return bool(self.claims)

    @property
    def supported(self) -> bool:
        """Are there claims, and is each supported by a passage?"""
        return self.answered and all(claim.supported for claim in self.claims)

    def as_json(self) -> dict[str, Any]:
        """The answer with its claims and passages as plain values."""
        claims = [{**asdict(claim), "supported": claim.supported} for claim in self.claims]
        return {
            **asdict(self),
            "claims": claims,
            "answered": self.answered,
            "supported": self.supported,
        }


@dataclass
class Desk:
    """The passages before the model: each has one number, however often it is found."""

    find: Search
    k: int
    masked: bool
    passages: list[Passage] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # of the passages, as they are sent
    searches: list[str] = field(default_factory=list)

    def search(self, query: str) -> str:
        """Search, number the new passages, and return all that were found, each in its frame."""
        self.searches.append(query)
        numbers = [self._number(passage) for passage in self.find(query, self.k)]
        return "\n".join(self._framed(number) for number in numbers) or NOTHING_FOUND

    def send(self, text: str) -> str:
        """Text as it may leave the machine: masked, and unable to end its frame."""
        return FRAME.sub("‹", redact(text).text if self.masked else text)

    def _number(self, passage: Passage) -> int:
        for number, known in enumerate(self.passages, start=1):
            if known.id == passage.id:
                return number
        self.passages.append(passage)
        self.texts.append(self.send(f"{passage.document}\n{passage.heading}\n{passage.text}"))
        return len(self.passages)

    def _framed(self, number: int) -> str:
        return f'<passage number="{number}">\n{self.texts[number - 1]}\n</passage>'


def ask(
    search: Search,
    question: str,
    open_chat: Callable[[], Chat],
    k: int = 8,
    searches: int = 3,
    masked: bool = True,
) -> Iterator[Searched | Said | Answer]:
    """What happens while a question is answered, and last the Answer.

    The model may search `searches` times more, for `k` passages each. Where no chat can be opened,
    or the provider fails, the answer is the passages alone. With `masked`, addresses, numbers and
    keys are masked in all that leaves the machine.
    """
    desk = Desk(search, k, masked)
    first = desk.search(question)
    yield Searched(question, len(desk.passages))
    text, problem = "", ""
    try:
        chat = open_chat()
        chat.say(f"{first}\n\n<question>\n{desk.send(question)}\n</question>")
        text = yield from _talk(desk, chat, searches)
    except ProviderError as error:
        problem = str(error)
    claims = tuple(claims_of(text, desk.texts))
    yield Answer(question, text, claims, tuple(desk.passages), tuple(desk.searches), problem)


def _talk(desk: Desk, chat: Chat, searches: int) -> Generator[Searched | Said, None, str]:
    """Let the model answer or search, turn by turn, and return the text of its last turn.

    Each turn may search but the last; one turn may search several times.
    """
    for turn in range(searches + 1):
        pieces = []
        for piece in chat.stream(may_call=turn < searches and _searches_left(desk, searches)):
            pieces.append(piece)
            yield Said(piece)
        if not chat.calls:
            break
        results = []
        for call in chat.calls:
            made = len(desk.searches)
            results.append(_result(desk, call, searches))
            if len(desk.searches) > made:
                yield Searched(desk.searches[-1], results[-1].count("<passage "))
        chat.answer(results)
    text = "".join(pieces).strip()
    if not text:
        raise ProviderError("the model gave no answer")
    return text


def _result(desk: Desk, call: ToolCall, searches: int) -> str:
    """What the model gets for a call: passages, or why there are none."""
    query = _query(call)
    if query is None:
        return ONLY_SEARCH
    return desk.search(query) if _searches_left(desk, searches) else NO_SEARCH_LEFT


def _searches_left(desk: Desk, searches: int) -> bool:
    return len(desk.searches) - 1 < searches  # the first search was for the question itself


def _query(call: ToolCall) -> str | None:
    """The query of a call; None where it asks for anything but a search for some text."""
    query = call.arguments.get("query") if isinstance(call.arguments, dict) else None
    return query if call.name == SEARCH.name and isinstance(query, str) and query.strip() else None
