"""French questions out of topics and statements, by rules that are seldom ungrammatical."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

from argot.queries.rephrasing.words import LONGEST, PHRASE, clipped, is_name, lower, telling

VOWEL = "aeiouyhàâéèêëîïôœûAEIOUYHÀÂÉÈÊËÎÏÔŒÛ"
CLAUSE = re.compile(
    r"(?:comment|quand|pourquoi|où|qui|que|quoi|quel(?:le)?s?|combien|si|à qui|qu['’])\b", re.I
)
ARTICLE = r"(?:(?:le|la|les|un|une|mon|ma|mes|votre|vos|son|sa|ses|ce|cet|cette|ces)\s|l['’])"
# "Calendrier des congés" and "Titre de transport" are no verbs, so that these need an article.
DOING = re.compile(
    rf"(?P<verb>[A-ZÀÂÉÈÊÎÔ]\w*(?:er|ir|re))\s+(?P<rest>{ARTICLE}[^:]+)"
    r"|(?P<other>[A-ZÀÂÉÈÊÎÔ]\w*(?:[^i\W]er|[^o\W]ir))\s+(?P<more>(?:des|du|à|au|aux|sur|par|en)\s[^:]+)"
)
# Nouns of these endings mean something that is done, and the ending tells their gender.
DONE = re.compile(
    r"(?P<noun>(?!Page|Image)[A-ZÀÂÉÈÊÎÔ]\w+(?:(?P<feminine>[ts]ion)|ment|age))"
    r"(?:\s(?:de|du|des|par|pour|à|au|aux)\s[^:]+|\sd['’][^:]+)?"
)
NO_SUBJECT = (
    "Il|Elle|Ils|Elles|On|Nous|Vous|Je|Tu|Ce|Cela|Ceci|C|Ça|Si|S|Quand|Lorsque?|Dans|En|Sur|Pour"
    "|Son|Sa|Ses|Leurs?|Cet|Cette|Ces|Par|Avec|Sans|Sous|Chez|À|Au|Aux|Après|Avant|Depuis|Selon"
    "|Afin|Comme|Mais|Et|Ou|Où|Qui|Que|Y"
    "|Ainsi|Alors|Ensuite|Puis|Merci|Veuillez|Voir|Dès|Toutefois|Cependant|Sauf|Jusqu|D|Lorsqu|Ne"
)
SUBJECT = rf"(?P<subject>(?!(?:{NO_SUBJECT})\b)[A-ZÀÂÉÈÊÎÔÇ][^,;:()]*?)"
NOT = r"(?:ne\s+|n['’])?"
NEVER = r"\s+(?:pas\s+|plus\s+|jamais\s+)?"
STATEMENT = re.compile(
    rf"{SUBJECT}\s+{NOT}(?P<verb>peut|peuvent|doit|doivent|devra|devront|pourra|pourront|est|sont"
    rf"|sera|seront){NEVER}(?P<rest>[^;:]+)"
)
MEANS = re.compile(
    r"(?:On entend par\s+(?P<thing>[^,;:]+?)(?:,|\s+(?=(?:le|la|les|un|une|tout|toute)\s|l['’]))"
    r"|(?:Par|Sous)\s+(?P<other>[^,;:]+?),?\s+on entend\b)"
)
ASKED_BY_VERB = {
    "désigne": "Que désigne", "signifie": "Que signifie", "comprend": "Que comprend",
    "couvre": "Que couvre", "indique": "Qu'indique", "coûte": "Combien coûte",
    "coûtent": "Combien coûtent", "dure": "Combien de temps dure", "fournit": "Que fournit",
    "s'élève à": "À combien s'élève", "s'élèvent à": "À combien s'élèvent",
}  # fmt: skip
VERB = re.compile(rf"{SUBJECT}\s+(?P<verb>{'|'.join(ASKED_BY_VERB)})\s")
YOU = re.compile(
    rf"(?:.*?,\s*|[Vv]ous\s+|.*\s)?[Vv]ous\s+{NOT}(?P<verb>devez|pouvez|devrez|pourrez){NEVER}"
    r"(?P<rest>[^;:]+)"
)
MUST = re.compile(r"(?:.*,\s)?[Ii]l faut\s+(?P<rest>[^;:]+)")
IS_IT = re.compile(
    r"(?:.*,\s)?[Ii]l est (?P<what>possible|interdit|obligatoire|nécessaire|permis|conseillé)"
    r"\s+(?P<rest>(?:de\s|d['’])[^;:]+)"
)
# "il" and the like mean something of an earlier sentence.
IF = re.compile(rf"(?:^|.*[,;]\s)[Ss]i\s+(?P<clause>(?!(?:elles?|ce|cela|on)\b){PHRASE})")
NUMBER = r"\b(?:\d[\d,.]*|deux|trois|quatre|cinq|six|sept|huit|dix|douze|quinze|trente)"
COUNT = re.compile(rf"{NUMBER}\s+(?P<unit>[a-zéèêàûîô]{{3,}}s)\b")
OWN = {"vos": "mes", "nos": "vos", "notre": "votre", "nous": "vous"}
# The endings of feminine nouns, and of those whose gender no ending tells.
FEMININE = re.compile(r"\w+(?:[ts]ion|té|ure|ette|ance|ence|ée|ie|ude|ise|ille)")
UNKNOWN = re.compile(r"\w+e")
DANGLING = {
    "de", "du", "des", "d'un", "d'une", "à", "au", "aux", "le", "la", "les", "un", "une", "en",
    "dans", "sur", "par", "pour", "avec", "sans", "et", "ou", "que", "qui", "dont", "où", "son",
    "sa", "ses", "ce", "cette", "moins", "plus", "avant", "après", "pendant", "sous", "entre",
}  # fmt: skip


def of_topic(topic: str, written: Mapping[str, int]) -> Iterator[str]:
    """Questions for a heading."""
    if CLAUSE.match(topic):
        yield topic.lower()
    elif len(topic.split()) > LONGEST - 4:
        return
    elif found := DOING.fullmatch(topic):
        verb, rest = found["verb"] or found["other"], _asked(found["rest"] or found["more"])
        if rest:
            yield f"Comment {lower(verb)} {rest} ?"
            yield f"comment faire pour {lower(verb)} {rest}"
            yield f"Je voudrais {lower(verb)} {rest}"
    elif found := DONE.fullmatch(topic):
        article = "l'" if topic[0] in VOWEL else "la " if found["feminine"] else "le "
        yield f"Comment se passe {article}{lower(topic)} ?"
        yield f"Que faut-il savoir sur {article}{lower(topic)} ?"
    else:
        yield f"{topic}, c'est quoi ?" if len(topic.split()) <= 3 else f"{topic}, que savoir ?"
        yield f"{topic} : comment ça marche ?"
        yield f"je cherche des infos : {topic.lower()}"


def of_statement(statement: str, random: Random) -> Iterator[str]:
    """Questions that the statement answers, each by a rule of its own."""
    statement = statement.rstrip(".!").replace("’", "'")
    if (found := IF.match(statement)) and len(found["clause"].split()) >= 3:
        clause = found["clause"].strip()
        yield random.choice([f"Que faire si {clause} ?", f"Que se passe-t-il si {clause} ?"])
    if found := COUNT.search(statement):
        yield from _how_many(statement, found)
    if found := MEANS.match(statement):
        yield f"Qu'entend-on par {found['thing'] or found['other']} ?"
    elif found := YOU.match(statement):
        yield from _allowed(found["verb"], _asked(clipped(found["rest"], DANGLING)), random)
    elif found := MUST.match(statement):
        yield from _asking(f"Faut-il {_asked(clipped(found['rest'], DANGLING))} ?", 3)
    elif found := IS_IT.match(statement):
        asked = "A-t-on le droit" if found["what"] == "interdit" else f"Est-il {found['what']}"
        yield from _asking(f"{asked} {_asked(clipped(found['rest'], DANGLING))} ?", 4)
    elif (found := VERB.match(statement)) and is_name(found["subject"]):
        yield f"{ASKED_BY_VERB[found['verb']]} {lower(found['subject'])} ?"
    elif (found := STATEMENT.match(statement)) and is_name(found["subject"]):
        yield from _whether(found, random)


def _whether(found: re.Match[str], random: Random) -> Iterator[str]:
    subject, rest = lower(found["subject"]), clipped(found["rest"], DANGLING)
    if found["verb"] in {"est", "sont"} and re.match(r"(?:(?:un|une|le|la|les|des)\s|l')", rest):
        that = "Qu'est-ce qu'" if subject[0] in "aeiouéè" else "Qu'est-ce que "
        yield random.choice([f"{that}{subject} ?", f"c'est quoi {subject}"])
    else:
        that = "Est-ce qu'" if subject[0] in "aeiouéè" else "Est-ce que "
        yield from _asking(f"{that}{subject} {found['verb']} {rest} ?", 5)


def _allowed(verb: str, rest: str, random: Random) -> Iterator[str]:
    if not rest:
        return
    if verb.startswith("pou"):
        yield random.choice([f"Puis-je {rest} ?", f"Est-ce que je peux {rest} ?"])
    else:
        yield random.choice([f"Est-ce que je dois {rest} ?", f"Faut-il {rest} ?"])


def _asking(question: str, shortest: int) -> Iterator[str]:
    """The question, unless so little was left of it that it asks nothing."""
    if len(question.split()) > shortest:
        yield question


def _how_many(statement: str, found: re.Match[str]) -> Iterator[str]:
    words = telling(statement, found)
    if len(words) >= 3:
        of = "d'" if found["unit"][0] in VOWEL else "de "
        yield f"combien {of}{found['unit']} {' '.join(words)}".lower()


def _asked(text: str) -> str:
    """The words of somebody who is addressed as theirs; "" where a gender isn't known."""
    words = text.rstrip(" .?!").replace("’", "'").split()
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word == "votre":
            word = _my(following)
        elif word == "vous":
            word = "m'" if following[:1] in VOWEL else "me"
        words[place] = OWN.get(word, word)
    return "" if "" in words else " ".join(words).replace("m' ", "m'")


def _my(noun: str) -> str:
    if noun[:1] in VOWEL:
        return "mon"
    if FEMININE.fullmatch(noun):
        return "ma"
    return "" if UNKNOWN.fullmatch(noun) else "mon"
