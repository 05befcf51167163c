"""English questions out of topics and statements, by rules that are seldom ungrammatical."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

from argot.queries.rephrasing.words import LONGEST, clipped, is_name, lower, telling, upper

DETERMINER = r"(?:a|an|the|your|my|our|this|these|each|any|all|multiple)"
IMPERATIVE = re.compile(
    rf"(?P<verb>[A-Z][a-z]+)\s+(?P<rest>(?:up |in |out |for |to |on )?{DETERMINER}\b.+)"
)
GERUND = re.compile(r"(?P<stem>[A-Z][a-z]+)ing\s+(?P<rest>\w.+)")
HOW_TO = re.compile(r"how to\s+(?P<rest>.+)", re.IGNORECASE)
AUXILIARY = "can|could|may|must|should|will|is|are|was|were|has|have"
NO_SUBJECT = (
    "It|This|That|These|Those|They|There|He|She|We|You|I|If|When|What|Which|In|On|At|For|As|By|With"
    "|Must|Do|Does|Please|Note|Make|See|And|But|Or|Unless|While|However|Also|Then"
)
SUBJECT = rf"(?P<subject>(?!(?:{NO_SUBJECT})\b)[A-Z][^,;:()]*?)"
STATEMENT = re.compile(rf"{SUBJECT}\s+(?P<auxiliary>{AUXILIARY})\s+(?P<rest>[^;:]+)")
YOU = re.compile(
    r"(?:.*?,\s*)?[Yy]ou\s+(?P<auxiliary>can(?:not)?|may|must|should|need to|have to|will)"
    r"\s+(?P<rest>[^;:]+)"
)
IF_YOU = re.compile(r"(?:^|.*[.,;]\s)[Ii]f (?P<clause>(?:you|your)\b[^,;.]+)")
NUMBER = r"\b\d[\d,.]*|\b(?:two|three|four|five|six|seven|ten|twelve|thirty|sixty|ninety)"
COUNT = re.compile(
    rf"(?P<number>{NUMBER})\s+(?P<unit>(?:working |business |calendar )?[a-z]{{3,}}s)\b"
)
NOT_UNITS = {"has", "was", "its", "this", "does", "is", "as"}
TRANSITIVE = {
    "requires": "require", "causes": "cause", "contains": "contain", "supports": "support",
    "provides": "provide", "includes": "include", "allows": "allow", "needs": "need",
    "covers": "cover", "affects": "affect", "means": "mean", "uses": "use", "returns": "return",
    "creates": "create", "specifies": "specify", "demands": "demand", "inhibits": "inhibit",
    "regulates": "regulate", "encodes": "encode", "involves": "involve", "offers": "offer",
    "pays": "pay", "accepts": "accept", "depends": "depend", "produces": "produce",
}  # fmt: skip
DOES = re.compile(rf"{SUBJECT}\s+(?P<verb>{'|'.join(TRANSITIVE)})\s+(?P<rest>[^;:]+)")
OWN = {
    "your": "my",
    "yours": "mine",
    "you": "I",
    "yourself": "myself",
    "our": "your",
    "we": "you",
    "us": "you",
}
# A question cut in its middle must not end on one of these.
DANGLING = {
    "of",
    "in",
    "and",
    "or",
    "at",
    "the",
    "a",
    "an",
    "to",
    "by",
    "for",
    "with",
    "that",
    "which",
    "from",
    "on",
    "its",
}
CLAUSE = re.compile(r"(?:if|when|how|what|why|where|who|which|whether|we|you)\b", re.IGNORECASE)


def of_topic(topic: str, written: Mapping[str, int]) -> Iterator[str]:
    """Questions for a heading; `written` counts the corpus' words, to know base forms by."""
    if found := HOW_TO.fullmatch(topic):
        yield f"How do I {_asked(found['rest'])}?"
    elif found := GERUND.fullmatch(topic):
        yield from _doing(_base(found["stem"].lower(), written), _asked(found["rest"]))
    elif found := IMPERATIVE.fullmatch(topic):
        yield from _doing(found["verb"].lower(), _asked(found["rest"]))
    elif CLAUSE.match(topic):
        yield _asked(topic).lower()
    elif len(topic.split()) <= LONGEST:
        thing = lower(topic)
        yield f"What is {thing}?" if not re.search(r"(?<!s)s$", topic) else f"What are {thing}?"
        yield f"I need some information about {thing}"
        yield f"can you tell me more about {thing}"


def of_statement(statement: str, random: Random) -> Iterator[str]:
    """Questions that the statement answers, each by a rule of its own."""
    statement = statement.rstrip(".!")
    if (found := IF_YOU.match(statement)) and len(found["clause"].split()) >= 3:
        clause = _asked(found["clause"])
        yield random.choice(
            [
                f"What happens if {clause}?",
                f"What should I do if {clause}?",
                f"{upper(clause)}, what now",
            ]
        )
    if found := COUNT.search(statement):
        yield from _how_many(statement, found)
    if found := YOU.match(statement):
        yield from _allowed(
            found["auxiliary"].lower(),
            _asked(clipped(found["rest"].split(",")[0], DANGLING)),
            random,
        )
    elif (found := DOES.match(statement)) and is_name(found["subject"]):
        yield f"What does {_asked(lower(found['subject']))} {TRANSITIVE[found['verb']]}?"
    elif (found := STATEMENT.match(statement)) and is_name(found["subject"]):
        yield from _inverted(
            found["auxiliary"],
            _asked(lower(found["subject"])),
            _asked(clipped(found["rest"].split(",")[0], DANGLING)),
        )


def _doing(verb: str, rest: str) -> Iterator[str]:
    yield f"How do I {verb} {rest}?"
    yield f"how can i {verb} {rest.lower()}"
    yield f"I want to {verb} {rest}"


def _inverted(auxiliary: str, subject: str, rest: str) -> Iterator[str]:
    if auxiliary in {"is", "are", "was", "were"}:
        if re.match(rf"{DETERMINER}\b", rest):
            yield f"What {auxiliary} {subject}?"
        else:
            yield f"{upper(auxiliary)} {subject} {rest}?"
    elif auxiliary in {"has", "have"}:
        return  # "has been", "have to": no rule is sure
    else:
        yield f"{upper(auxiliary)} {subject} {rest}?"


def _allowed(auxiliary: str, rest: str, random: Random) -> Iterator[str]:
    if auxiliary in {"must", "need to", "have to", "should"}:
        yield random.choice([f"Do I need to {rest}?", f"do i have to {rest.lower()}"])
    elif auxiliary == "will":
        yield f"Will I {rest}?"
    else:
        yield random.choice(
            [f"Can I {rest}?", f"Is it possible to {rest}?", f"Am I allowed to {rest}?"]
        )


def _how_many(statement: str, found: re.Match[str]) -> Iterator[str]:
    words = telling(statement, found)
    if found["unit"] not in NOT_UNITS and len(words) >= 3:
        yield f"how many {found['unit']} {' '.join(words)}".lower()


def _base(stem: str, written: Mapping[str, int]) -> str:
    undoubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    return max([stem, f"{stem}e", undoubled], key=lambda form: (written.get(form, 0), form == stem))


def _asked(text: str) -> str:
    words = [OWN.get(word.lower(), word) for word in text.rstrip(".?!").split()]
    for place, word in enumerate(words[1:], start=1):
        if words[place - 1] == "I" and word in {"are", "were"}:
            words[place] = {"are": "am", "were": "was"}[word]
    return " ".join(words)
