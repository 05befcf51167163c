from __future__ import annotations

from random import Random

import pytest

from argot.queries.rephrasing.german import of_statement, of_topic


@pytest.mark.parametrize(
    ("topic", "question"),
    [
        ("Urlaub beantragen", "Wie kann ich Urlaub beantragen?"),
        ("Überstunden abbauen", "Wie kann ich Überstunden abbauen?"),
        ("Ihre Daten ändern", "Wie kann ich meine Daten ändern?"),
        ("Kündigung des Vertrags", "Wie läuft die Kündigung des Vertrags ab?"),
        ("Mahnung", "Mahnung, was gilt da?"),
        ("Kulanz", "Was bedeutet Kulanz?"),
        ("Arbeiten auf dem Dach", "Arbeiten auf dem Dach, was gilt da?"),
        ("Was passiert nach der Meldung", "was passiert nach der meldung"),
    ],
)
def test_a_topic_becomes_a_question(topic: str, question: str) -> None:
    assert next(of_topic(topic, {})) == question


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("Kulanz ist eine Leistung ohne Anspruch.", "Was ist Kulanz?"),
        ("Ein Blaubuch ist das Anlagenbuch ohne Vertrag.", "Was ist ein Blaubuch?"),
        ("Die Nullfahrt bezeichnet einen Einsatz.", "Was bedeutet die Nullfahrt?"),
        ("Unter einem Eismond versteht man einen Ring.", "Was versteht man unter einem Eismond?"),
        ("Die Pauschale beträgt ein Zehntel.", "Wie hoch ist die Pauschale?"),
        ("Volle Flaschen dürfen nur stehend reisen.", "Dürfen volle Flaschen nur stehend reisen?"),
        ("Die Geräte dürfen nicht im Freien stehen.", "Dürfen die Geräte im Freien stehen?"),
        ("Der Kunde darf sie abnehmen, um zu saugen.", "Darf der Kunde sie abnehmen?"),
        ("Bei Verlust müssen Sie Ihre Karte sperren.", "Muss ich bei Verlust meine Karte sperren?"),
        ("Die Frist endet nach 14 Tagen ohne Brief.", "wie viele tage frist endet nach ohne brief"),
    ],
)
def test_a_statement_becomes_a_question(statement: str, question: str) -> None:
    # Whether "muss" is asked for as a whole sentence is drawn; 2 draws it.
    assert next(of_statement(statement, Random(2))) == question


@pytest.mark.parametrize(
    ("statement", "clause"),
    [
        ("Wenn Sie den Standort schließen, endet er.", "wenn ich den Standort schließe"),
        ("Falls Sie schon gezahlt haben, hilft der Beleg.", "wenn ich schon gezahlt habe"),
        ("Der Vertrag endet, wenn die Plakette abläuft.", "wenn die Plakette abläuft"),
        ("Wenn sie über 0,5 bar steigt, öffnet es.", ""),
        ("Wenn der Druck über 0,5 bar steigt, öffnet es.", "wenn der Druck über 0,5 bar steigt"),
    ],
)
def test_a_condition_is_asked_for(statement: str, clause: str) -> None:
    questions = list(of_statement(statement, Random(2)))
    assert any(clause in question for question in questions) == bool(questions) == bool(clause)


@pytest.mark.parametrize(
    "statement",
    [
        "Es ist kalt.",
        "Danach ist der Sensor zu prüfen.",
        "Der Kunde muss die Anlage, die er kaufte, prüfen.",
        "Das kann dauern.",
    ],
)
def test_what_no_rule_is_sure_of_gives_nothing(statement: str) -> None:
    assert list(of_statement(statement, Random(1))) == []
