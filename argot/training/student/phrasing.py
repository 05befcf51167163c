"""Queries as people type them: with a greeting or thanks, in lower case, with a typing error.

Words around a question move a small model's vector without saying anything. A model that is trained
on such queries, with the teacher's ranking of the plain ones, learns to ignore them.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

# What people write around a question, by the question's language.
WRAPPERS = {
    "en": (
        "hi, {}",
        "hello, I need help with this: {}",
        "{} thanks",
        "{} please",
        "quick question: {}",
        "I have a question about this, {}",
        "can someone tell me: {}",
        "sorry if this was asked before, {}",
        "I can't find it anywhere. {}",
        "{} any help is appreciated",
        "I was told to ask here: {}",
        "not sure who to ask. {}",
        "so {}",
        "I'm trying to find out {}",
        "{} I need to know this today",
        "what I would like to know is {}",
    ),
    "de": (
        "hallo, {}",
        "hallo zusammen, kurze frage: {}",
        "{} danke",
        "{} danke im voraus",
        "{} bitte",
        "ich habe eine frage: {}",
        "kann mir jemand sagen: {}",
        "falls das schon gefragt wurde, entschuldigung. {}",
        "ich finde das nirgends. {}",
        "man hat mich hierher verwiesen: {}",
        "weiß nicht, wen ich fragen soll. {}",
        "also {}",
        "ich brauche das heute noch: {}",
        "mich würde interessieren: {}",
    ),
    "es": (
        "hola, {}",
        "buenos días, una pregunta: {}",
        "{} gracias",
        "{} por favor",
        "tengo una duda: {}",
        "alguien me puede decir: {}",
        "perdón si ya se ha preguntado. {}",
        "no lo encuentro por ningún lado. {}",
        "me han dicho que pregunte aquí: {}",
        "no sé a quién preguntar. {}",
        "pues {}",
        "lo necesito hoy: {}",
        "me gustaría saber: {}",
    ),
    "fr": (
        "bonjour, {}",
        "bonjour, petite question : {}",
        "{} merci",
        "{} merci d'avance",
        "{} svp",
        "j'ai une question : {}",
        "quelqu'un peut me dire : {}",
        "désolé si ça a déjà été demandé. {}",
        "je ne trouve pas. {}",
        "on m'a dit de demander ici : {}",
        "je ne sais pas à qui m'adresser. {}",
        "alors {}",
        "j'en ai besoin aujourd'hui : {}",
        "je voudrais savoir : {}",
    ),
}
# How letters are typed without the keys for them; of others the marks are left out.
GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
TYPED = {"de": {ord(letter): typed for letter, typed in GERMAN.items()}}
NOT_TYPED = dict.fromkeys(map(ord, "¿¡"))
UNMARKED = ("de", "es", "fr")  # languages whose marks people often leave out
END = re.compile(r"[.?!]+$")
WORD = re.compile(r"[^\W\d_]{5,}")
SMALL, BARE, SLIP, PLAIN = 0.5, 0.5, 0.3, 0.3


def noisy(query: str, language: str, random: np.random.Generator) -> str:
    """The query as somebody might type it; `language` says which words may be around it."""
    if random.random() < BARE:
        query = END.sub("", query)
    if random.random() < SLIP:
        query = _slip(query, random)
    if language in UNMARKED and random.random() < PLAIN:
        query = _unmarked(query, language)
    if wrappers := WRAPPERS.get(language):
        query = wrappers[random.integers(len(wrappers))].format(query)
    return query.lower() if random.random() < SMALL else query


def _unmarked(query: str, language: str) -> str:
    """Written with the letters of ASCII: "Übergröße" as "Uebergroesse", "¿Día?" as "Dia?"."""
    typed = query.translate(TYPED.get(language, {}))
    letters = unicodedata.normalize("NFD", typed.translate(NOT_TYPED))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _slip(query: str, random: np.random.Generator) -> str:
    """Two neighbouring letters of a word change places, but not its first one."""
    words = list(WORD.finditer(query))
    if not words:
        return query
    word = words[random.integers(len(words))]
    at = word.start() + random.integers(1, len(word.group()) - 1)
    return query[:at] + query[at + 1] + query[at] + query[at + 2 :]
