"""Spanish questions out of topics and statements, by rules that are seldom ungrammatical."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random

from argot.queries.rephrasing.words import LONGEST, PHRASE, clipped, is_name, lower, telling, upper

CLAUSE = re.compile(
    r"¿?(?:cómo|cuándo|dónde|qué|quién(?:es)?|cuánt[oa]s?|por qué|cuál(?:es)?|si)\b", re.I
)
# "Alquiler de vehículos" is no verb.
DOING = re.compile(r"[A-ZÁÉÍÓÚÑ]\w*(?:[aei]rse|[aei]r(?!\s+(?:de|del|y|para)\b))\s[^:]+")
# Nouns of these endings mean something that is done, and the ending tells their gender.
DONE = re.compile(
    r"[A-ZÁÉÍÓÚÑ]\w+(?:(?P<feminine>[cs]ión)|miento|aje)(?:\s(?:de|del|por|para|en|con)\s[^:]+)?"
)
NO_SUBJECT = (
    "Se|Si|No|Él|Ella|Ellos|Ellas|Esto|Eso|Este|Esta|Estos|Estas|En|Por|Para|Con|Sin|Sobre|Bajo|A"
    "|Al|De|Del|Desde|Hasta|Según|Tras|Como|Cuando|Donde|Que|Quien|Y|O|Pero|Así|Además|También"
    "|Después|Antes|Luego|Ahora|Aquí|Hay|Es|Son|Está|Ha|Nos|Le|Les|Lo|La que|Usted|Ustedes"
)
SUBJECT = rf"(?P<subject>(?!(?:{NO_SUBJECT})\b)[A-ZÁÉÍÓÚÑ][^,;:()]*?)"
STATEMENT = re.compile(
    rf"{SUBJECT}\s+(?:no\s+)?(?P<verb>puede|pueden|debe|deben|podrá|podrán|deberá|deberán"
    r"|tiene que|tienen que|es|son|está|están|será|serán)\s+(?P<rest>[^;:]+)"
)
MEANS = re.compile(
    r"(?:Se entiende por\s+(?P<thing>[^,;:]+?)(?:,|\s+(?=(?:el|la|los|las|un|una|todo|toda)\s))"
    r"|Por\s+(?P<other>[^,;:]+?),?\s+se entiende\b)"
)
ASKED_BY_VERB = {
    "significa": "Qué significa", "designa": "Qué designa", "incluye": "Qué incluye",
    "cubre": "Qué cubre", "contiene": "Qué contiene", "requiere": "Qué requiere",
    "indica": "Qué indica", "cuesta": "Cuánto cuesta", "cuestan": "Cuánto cuestan",
    "dura": "Cuánto dura", "empieza": "Cuándo empieza", "termina": "Cuándo termina",
    "se define como": "Qué es",
}  # fmt: skip
VERB = re.compile(rf"{SUBJECT}\s+(?:no\s+)?(?P<verb>{'|'.join(ASKED_BY_VERB)})\s")
FIRST_PERSON = {
    "puede": "puedo", "debe": "debo", "podrá": "podré", "deberá": "deberé", "necesita": "necesito",
    "tiene que": "tengo que", "puedes": "puedo", "debes": "debo", "necesitas": "necesito",
    "tienes que": "tengo que",
}  # fmt: skip
# A verb at the start, without a subject, speaks to the reader.
YOU = re.compile(
    rf"(?:.*,\s|No\s|Usted\s)?(?P<verb>(?:{'|'.join(FIRST_PERSON)})(?=\s))\s(?P<rest>[^;:]+)", re.I
)
IS_IT = re.compile(
    r"(?:.*,\s)?(?:No\s)?(?P<what>[Hh]ay que|[Ee]s (?:posible|obligatorio|necesario))\s"
    r"(?P<rest>(?!que\b)[^;:]+)"
)
IF = re.compile(rf"(?:^|.*[,;]\s)[Ss]i\s+(?P<clause>(?!(?:este|esta|esto|él|ella)\b){PHRASE})")
NUMBER = r"\b(?:\d[\d,.]*|dos|tres|cuatro|cinco|seis|siete|ocho|diez|doce|quince|treinta)"
COUNT = re.compile(rf"{NUMBER}\s+(?P<unit>[a-zñáéíóú]{{3,}}s)\b")
OWN = {
    "su": "mi", "sus": "mis", "tu": "mi", "tus": "mis", "usted": "yo", "nos": "les",
    "nuestro": "su", "nuestra": "su", "nuestros": "sus", "nuestras": "sus", "te": "me",
}  # fmt: skip
DANGLING = {
    "de", "del", "a", "al", "el", "la", "los", "las", "un", "una", "en", "con", "sin", "por",
    "para", "y", "o", "que", "su", "sus", "como", "sobre", "más", "menos", "hasta",
}  # fmt: skip


def of_topic(topic: str, written: Mapping[str, int]) -> Iterator[str]:
    """Questions for a heading."""
    if CLAUSE.match(topic):
        yield topic.strip("¿?").lower()
    elif len(topic.split()) > LONGEST - 4:
        return
    elif DOING.fullmatch(topic):
        doing = _asked(lower(topic))
        yield f"¿Cómo puedo {doing}?"
        yield f"qué hago para {doing}"
        yield f"Quiero {doing}"
    elif found := DONE.fullmatch(topic):
        article = "la" if found["feminine"] else "el"
        yield f"¿Cómo funciona {article} {lower(topic)}?"
        yield f"información sobre {article} {lower(topic)}"
    else:
        yield f"¿Qué significa {lower(topic)}?" if " " not in topic else f"{topic}, ¿qué es?"
        yield f"Necesito información sobre {lower(topic)}"
        yield f"me puede explicar {lower(topic)}"


def of_statement(statement: str, random: Random) -> Iterator[str]:
    """Questions that the statement answers, each by a rule of its own."""
    statement = statement.rstrip(".!")
    if (found := IF.match(statement)) and len(found["clause"].split()) >= 3:
        clause = found["clause"].strip()
        yield random.choice([f"¿Qué pasa si {clause}?", f"¿Qué hacer si {clause}?"])
    if found := COUNT.search(statement):
        yield from _how_many(statement, found)
    if found := MEANS.match(statement):
        yield f"¿Qué se entiende por {found['thing'] or found['other']}?"
    elif found := YOU.match(statement):
        rest = _asked(clipped(found["rest"], DANGLING))
        yield from _asking(upper(FIRST_PERSON[found["verb"].lower()]), rest)
    elif found := IS_IT.match(statement):
        yield from _asking(upper(found["what"]), _asked(clipped(found["rest"], DANGLING)))
    elif (found := VERB.match(statement)) and is_name(found["subject"]):
        yield f"¿{ASKED_BY_VERB[found['verb']]} {lower(found['subject'])}?"
    elif (found := STATEMENT.match(statement)) and is_name(found["subject"]):
        yield from _inverted(found)


def _inverted(found: re.Match[str]) -> Iterator[str]:
    subject, rest = lower(found["subject"]), clipped(found["rest"], DANGLING)
    if found["verb"] in {"es", "son"} and re.match(r"(?:una?|unos|unas|el|la|los|las)\s", rest):
        yield f"¿Qué {found['verb']} {subject}?"
    elif found["verb"].endswith("que"):
        yield from _asking(f"{found['subject']} {found['verb']}", rest)
    else:
        yield from _asking(f"{upper(found['verb'])} {subject}", rest)


def _asking(start: str, rest: str) -> Iterator[str]:
    """The question, unless nothing is left to ask for."""
    if rest:
        yield f"¿{start} {rest}?"


def _how_many(statement: str, found: re.Match[str]) -> Iterator[str]:
    words, unit = telling(statement, found), found["unit"]
    if len(words) >= 3:
        many = "cuántas" if unit.endswith("as") and unit != "días" else "cuántos"
        yield f"{many} {unit} {' '.join(words)}".lower()


def _asked(text: str) -> str:
    """The words of somebody who is addressed, as theirs: "darse de baja" as "darme de baja"."""
    words = (OWN.get(word, word) for word in text.rstrip(" .?!").split())
    return re.sub(r"(?<=[aei]r)se\b", "me", " ".join(words))
