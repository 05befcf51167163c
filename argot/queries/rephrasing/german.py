"""German questions out of topics and statements, by rules that are seldom ungrammatical."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

from argot.queries.rephrasing.words import LONGEST, PHRASE, is_name, lower, telling, upper

CLAUSE = re.compile(r"(?:wie|was|wann|wo|wohin|wer|wem|wen|warum|welche[rsmn]?|wenn|ob)\b", re.I)
# "Passwort zurücksetzen": the last word of a topic is small and an infinitive.
DOING = re.compile(r"\S[^:]*\s(?!offen|eigen|verboten)[a-zäöüß]{2,}(?:en|ern|eln)")
# Nouns in -ung and the like are feminine, and mean something that is done.
DONE = re.compile(
    r"(?P<noun>[A-ZÄÖÜ]\w+(?:ung|tion|gabe|nahme))"
    r"(?:\s+(?:des|der|von|vom|einer|eines|für|bei|im|am|nach)\b[^:]*)?"
)
PREPOSITION = (
    "Ab|Am|An|Auf|Aus|Außerhalb|Außer|Bei|Beim|Bis|Durch|Für|Gegen|Im|In|Innerhalb|Mit|Nach|Neben"
    "|Ohne|Über|Um|Unter|Vom|Von|Vor|Während|Wegen|Zu|Zum|Zur|Zwischen"
)
NO_SUBJECT = (
    f"{PREPOSITION}|Er|Sie|Es|Wir|Ihr|Du|Ich|Das|Dies|Diese|Dieser|Dieses|Hier|Dort|Da|Dabei|Dafür"
    "|Daher|Damit|Danach|Dann|Darin|Davon|Dazu|Denn|Deshalb|Aber|Als|Auch|Außerdem|Bitte|Ebenso"
    "|Falls|Ob|Oder|Nur|Sobald|Solange|So|Und|Was|Weil|Wenn|Wer|Wie|Wo"
)
SUBJECT = rf"(?P<subject>(?!(?:{NO_SUBJECT})\b)[A-ZÄÖÜ][^,;:()]*?)"
MODALS = "kann|können|muss|müssen|darf|dürfen|soll|sollen|sollte|sollten"
STATEMENT = re.compile(
    rf"{SUBJECT}\s+(?P<verb>{MODALS}|ist|sind|wird|werden)\s+(?P<rest>[^,;:(]+)(?P<end>$|,)"
)
# Words at the end of a sentence with one of these verbs: without one of them it was cut too early.
CLOSED = re.compile(r"(?:[eslr]n|tun|[^\W\d]t)$")
MEANS = re.compile(rf"{SUBJECT}\s+(?:bezeichnet|bedeutet|heißt)\s")
UNDERSTOOD = re.compile(r"Unter\s+(?P<thing>[^,;:()]+?)\s+(?:versteht man|verstehen wir)\b")
ASKED_BY_VERB = {
    "umfasst": "Was umfasst", "enthält": "Was enthält", "beträgt": "Wie hoch ist",
    "kostet": "Was kostet", "kosten": "Was kosten", "dauert": "Wie lange dauert",
    "beginnt": "Wann beginnt", "endet": "Wann endet",
}  # fmt: skip
VERB = re.compile(rf"{SUBJECT}\s+(?P<verb>{'|'.join(ASKED_BY_VERB)})\s")
FIRST_PERSON = {
    "können": "kann", "müssen": "muss", "dürfen": "darf", "sollten": "sollte", "kannst": "kann",
    "musst": "muss", "darfst": "darf", "solltest": "sollte",
}  # fmt: skip
SHALL = "|".join(FIRST_PERSON)
YOU = re.compile(
    rf"(?:(?:Sie|Du)\s+(?P<verb>{SHALL})|(?P<before>[A-ZÄÖÜ][^,;:()]*?)\s+(?P<shall>{SHALL})"
    r"\s+(?:Sie|du))\s+(?P<rest>[^,;:(]+)"
)
# "es" and the like mean something of an earlier sentence.
IF = re.compile(
    r"(?:^|.*[,;.]\s)(?:[Ww]enn|[Ff]alls)\s+"
    rf"(?P<clause>(?!(?:er|es|sie|das|dies\w*|man|wir)\b){PHRASE})"
)
IRREGULAR = {
    "haben": "habe", "sind": "bin", "werden": "werde", "können": "kann", "müssen": "muss",
    "dürfen": "darf", "wollen": "will", "sollen": "soll", "wissen": "weiß",
}  # fmt: skip
NUMBER = r"\b(?:\d[\d,.]*|zwei|drei|vier|fünf|sechs|sieben|acht|zehn|zwölf|dreißig)"
COUNT = re.compile(
    rf"{NUMBER}\s+(?P<unit>[A-ZÄÖÜ]\w*(?:tage|wochen|monate|jahre|stunden|minuten)n?"
    r"|Tagen?|Wochen|Monaten?|Jahren?|Stunden|Minuten|Euro|Cent|Prozent|Grad|Kilometern?|Metern?"
    r"|Gramm|Kilogramm|Tonnen)\b"
)
OWN = {
    "Sie": "ich", "du": "ich", "Ihnen": "mir", "dir": "mir", "dich": "mich", "sich": "mich",
    "Ihr": "mein", "Ihre": "meine", "Ihren": "meinen", "Ihrem": "meinem", "Ihrer": "meiner",
    "Ihres": "meines", "dein": "mein", "deine": "meine", "deinen": "meinen", "deinem": "meinem",
    "deiner": "meiner", "uns": "euch",
}  # fmt: skip
SMALL = re.compile(
    rf"(?:{PREPOSITION}|Der|Die|Das|Den|Dem|Ein|Eine[rnms]?|Jede[rnms]?|Alle|Beide|Kein|Keine|Nicht"
    r"|[A-ZÄÖÜ]\w+e(?=\s[A-ZÄÖÜ]))\b"
)


def of_topic(topic: str, written: Mapping[str, int]) -> Iterator[str]:
    """Questions for a heading."""
    if CLAUSE.match(topic):
        yield _asked(topic).lower()
    elif len(topic.split()) > LONGEST - 4:
        return
    elif DOING.fullmatch(topic):
        yield f"Wie kann ich {_small(_asked(topic))}?"
        yield f"{topic.lower()} wie geht das"
        yield f"Ich möchte {_small(_asked(topic))}"
    elif DONE.fullmatch(topic):
        yield f"Wie läuft die {topic} ab?" if " " in topic else f"{topic}, was gilt da?"
        yield f"Was muss ich zur {topic} wissen?"
        yield f"infos zur {topic.lower()}"
    else:
        yield f"Was bedeutet {topic}?" if " " not in topic else f"{topic}, was gilt da?"
        yield f"Was muss ich zum Thema {topic} wissen?"
        yield f"ich suche infos zum thema {topic.lower()}"


def of_statement(statement: str, random: Random) -> Iterator[str]:
    """Questions that the statement answers, each by a rule of its own."""
    statement = statement.rstrip(".!")
    if (found := IF.match(statement)) and len(found["clause"].split()) >= 3:
        yield from _if(found["clause"].strip(), random)
    if found := COUNT.search(statement):
        yield from _how_many(statement, found)
    if found := UNDERSTOOD.match(statement):
        yield f"Was versteht man unter {found['thing']}?"
    elif found := YOU.match(statement):
        yield from _allowed(found, random)
    elif (found := MEANS.match(statement)) and is_name(found["subject"]):
        yield f"Was bedeutet {_small(found['subject'])}?"
    elif (found := VERB.match(statement)) and is_name(found["subject"]):
        yield f"{ASKED_BY_VERB[found['verb']]} {_small(found['subject'])}?"
    elif (found := STATEMENT.match(statement)) and is_name(found["subject"]):
        yield from _inverted(found)


def _if(clause: str, random: Random) -> Iterator[str]:
    words = clause.split()
    if {"Sie", "du"} & {*words}:
        if words[-1] not in IRREGULAR and not words[-1].endswith("en"):
            return
        words[-1] = IRREGULAR.get(words[-1], words[-1][:-1])
        clause = _asked(" ".join(words))
    yield random.choice(
        [
            f"Was passiert, wenn {clause}?",
            f"Was ist zu tun, wenn {clause}?",
            f"was tun wenn {clause}",
        ]
    )


def _allowed(found: re.Match[str], random: Random) -> Iterator[str]:
    verb = FIRST_PERSON[found["verb"] or found["shall"]]
    before = f"{_small(found['before'])} " if found["before"] else ""
    rest = _asked(f"{before}{found['rest'].strip()}")
    # An infinitive ends the sentence; one that was cut earlier has none.
    if len(rest.split()) > LONGEST or not re.search(r"(?:en|ern|eln|tun)$", rest):
        return
    if verb == "kann":
        yield random.choice([f"Kann ich {rest}?", f"Wie kann ich {rest}?", f"kann man {rest}"])
    elif verb == "darf":
        yield random.choice([f"Darf ich {rest}?", f"Ist es erlaubt, dass ich {rest} darf?"])
    else:
        yield random.choice([f"Muss ich {rest}?", f"{verb} ich {rest.lower()}"])


def _inverted(found: re.Match[str]) -> Iterator[str]:
    """The finite verb comes first in a question, and nothing else changes."""
    subject, verb, rest = _small(found["subject"]), found["verb"], found["rest"].strip()
    if verb in {"ist", "sind"} and re.match(r"(?:ein|eine|der|die|das)\b", rest):
        yield f"Was {verb} {subject}?"
        return
    if found["end"] and not CLOSED.search(rest):
        return
    asked = re.sub(r"\b(?:nicht|nie|niemals) ", "", rest)
    if 1 < len(f"{subject} {asked}".split()) <= LONGEST:
        yield f"{upper(verb)} {subject} {asked}?"


def _how_many(statement: str, found: re.Match[str]) -> Iterator[str]:
    words, unit = telling(statement, found), found["unit"]
    if len(words) >= 3:
        plural = re.sub(r"(?<=tage|nate|ahre|eter)n$", "", unit.lower())
        many = "wie viele" if re.search(r"(?:e|en|er)$", plural) else "wie viel"
        yield f"{many} {plural} {' '.join(words)}".lower()


def _asked(text: str) -> str:
    words = (OWN.get(word, word) for word in text.rstrip(".?!").split())
    return " ".join(words)


def _small(text: str) -> str:
    return lower(text) if SMALL.match(text) else text
