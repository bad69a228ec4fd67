"""Class names in other languages, where the text tower knows English alone."""

from __future__ import annotations

import pytest

from pouf_core.adaptation.class_languages import other_language_warnings
from pouf_core.contract.classes import parse_class_names
from pouf_core.families.registry import describe


def warned(names: str, base_model: str = "pouf-lite") -> list[str]:
    found = other_language_warnings(describe(base_model), parse_class_names(names.split(",")))
    return [one.message for one in found]


@pytest.mark.parametrize(
    ("names", "language"),
    [
        ("Hund,Katze,Vogel,Pferd,Löwenzahn,Gänseblümchen,Fußgänger,Verkehrsschild", "German"),
        ("chien,oiseau,cheval,voiture,bateau,forêt,rivière,zone résidentielle", "French"),
        ("perro,pájaro,caballo,coche,avión,bosque,carretera,zona residencial", "Spanish"),
        ("pies,ptak,krowa,świnia,samochód,pociąg,jabłko,krzesło", "Polish"),
        ("köpek,kuş,uçak,gemi,çilek,şaşkınlık,sözleşme,karahindiba", "Turkish"),
    ],
)
def test_names_in_another_language_are_warned_of(names: str, language: str) -> None:
    (message,) = warned(names)
    assert f"look like {language}" in message
    assert warned(names, "open_clip:xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k") == []


@pytest.mark.parametrize(
    "names",
    [
        "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        "positive,negative,neutral",
        "Quercus robur,Fagus sylvatica,Betula pendula,Larus argentatus,Apis mellifera",
        "Nike,Adidas,Gucci,Louis Vuitton,Samsung,Volkswagen,Renault,IKEA",
        "baklava,ceviche,churros,creme brulee,gnocchi,gyoza,paella,pho,poutine,tiramisu",
        "Anna Schmidt,Giovanni Rossi,Pierre Dupont,Maria Garcia,Jan Kowalski",
    ],
)
def test_english_species_brands_and_names_of_people_are_not(names: str) -> None:
    assert warned(names) == []
