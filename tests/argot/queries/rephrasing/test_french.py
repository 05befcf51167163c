from __future__ import annotations

from random import Random

import pytest

from argot.queries.rephrasing.french import of_statement, of_topic


@pytest.mark.parametrize(
    ("topic", "question"),
    [
        ("Résilier le contrat", "Comment résilier le contrat ?"),
        ("Poser des congés", "Comment poser des congés ?"),
        ("Modifier votre adresse", "Comment modifier mon adresse ?"),
        ("Calendrier des congés", "Calendrier des congés, c'est quoi ?"),
        ("Résiliation du contrat", "Comment se passe la résiliation du contrat ?"),
        ("Indemnisation", "Comment se passe l'indemnisation ?"),
        ("Remboursement des frais", "Comment se passe le remboursement des frais ?"),
        ("Comment lire le décompte", "comment lire le décompte"),
    ],
)
def test_a_topic_becomes_a_question(topic: str, question: str) -> None:
    assert next(of_topic(topic, {})) == question


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("La franchise est la part de l'adhérent.", "Qu'est-ce que la franchise ?"),
        ("Un orphelin est un dossier perdu.", "Qu'est-ce qu'un orphelin ?"),
        ("Le brin désigne une ligne.", "Que désigne le brin ?"),
        ("On entend par implant la racine artificielle.", "Qu'entend-on par implant ?"),
        ("Par dossier bleu, on entend un dossier transmis.", "Qu'entend-on par dossier bleu ?"),
        ("Les frais s'élèvent à huit francs.", "À combien s'élèvent les frais ?"),
        ("La greffe n'est pas couverte.", "Est-ce que la greffe est couverte ?"),
        ("Un devis doit être accepté avant.", "Est-ce qu'un devis doit être accepté ?"),
        ("Vous pouvez vous inscrire en ligne.", "Est-ce que je peux m'inscrire en ligne ?"),
        ("En été, vous devez joindre vos relevés.", "Faut-il joindre mes relevés ?"),
        ("Il faut envoyer l'acte, puis attendre.", "Faut-il envoyer l'acte ?"),
        ("Il est interdit d’imprimer des dossiers.", "A-t-on le droit d'imprimer des dossiers ?"),
        ("Si la carte est perdue, appelez le 40.", "Que faire si la carte est perdue ?"),
        ("Le code reçu vaut 10 heures pleines.", "combien d'heures code reçu vaut pleines"),
    ],
)
def test_a_statement_becomes_a_question(statement: str, question: str) -> None:
    drawn = [next(of_statement(statement, Random(seed))) for seed in range(8)]
    assert question in drawn


@pytest.mark.parametrize(
    "statement",
    ["Elle est gratuite.", "Si elle est perdue, tant pis.", "Vous devez rendre votre véhicule."],
)
def test_what_no_rule_is_sure_of_gives_nothing(statement: str) -> None:
    assert list(of_statement(statement, Random(1))) == []


def test_a_topic_whose_gender_is_unknown_gives_nothing() -> None:
    assert list(of_topic("Rendre votre véhicule", {})) == []
