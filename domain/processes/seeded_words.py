"""The words of which a made-up catalogue is made, in three languages, and how often each is drawn."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

LOCALES: Final = ("de", "fr")
_KINDS: Final = """
Tableware Tischware Vaisselle
cup Becher gobelet, mug Tasse tasse, bowl Schale bol, plate Teller assiette
tray Tablett plateau, bottle Flasche bouteille, jar Glas bocal, carafe Karaffe carafe
Packaging Verpackung Emballage
box Schachtel boîte, bag Tüte sac, sleeve Banderole manchon, tube Hülse tube
envelope Umschlag enveloppe, mailer Versandtasche pochette, carton Karton carton, pouch Beutel sachet
Paper Papier Papeterie
notebook Heft cahier, planner Planer agenda, card Karte carte, poster Plakat affiche
calendar Kalender calendrier, folder Mappe chemise, sticker Aufkleber autocollant, label Etikett étiquette
Textiles Heimtextilien Linge
apron Schürze tablier, towel Handtuch serviette, napkin Serviette serviette, scarf Schal écharpe
blanket Decke couverture, cushion Kissen coussin, curtain Vorhang rideau, rug Teppich tapis
Clothing Kleidung Vêtements
shirt Hemd chemise, hoodie Kapuzenpulli sweat, jacket Jacke veste, cap Mütze casquette
sock Socke chaussette, glove Handschuh gant, belt Gürtel ceinture, vest Weste gilet
Kitchen Küche Cuisine
board Brett planche, spoon Löffel cuillère, pan Pfanne poêle, pot Topf casserole
whisk Schneebesen fouet, grater Reibe râpe, mill Mühle moulin, kettle Kessel bouilloire
Living Wohnen Maison
lamp Lampe lampe, candle Kerze bougie, clock Uhr horloge, vase Vase vase
basket Korb panier, frame Rahmen cadre, mirror Spiegel miroir, stool Hocker tabouret
Outdoor Draussen Plein-air
tent Zelt tente, lantern Laterne lanterne, flask Feldflasche gourde, hammock Hängematte hamac
backpack Rucksack sac, umbrella Schirm parapluie, cooler Kühltasche glacière, rope Seil corde
"""
_MATERIALS: Final = """
Paper Papier papier, Kraft Kraftpapier kraft, Cotton Baumwolle coton, Bamboo Bambus bambou, Steel Stahl acier
Glass Glas verre, Cork Kork liège, Linen Leinen lin, Oak Eiche chêne, Walnut Nussbaum noyer, Wool Wolle laine
Leather Leder cuir, Ceramic Keramik céramique, Copper Kupfer cuivre, Felt Filz feutre, Hemp Hanf chanvre
"""
_STYLES: Final = """
plain schlicht uni, striped gestreift rayé, large gross grand, small klein petit, folding faltbar pliant
printed bedruckt imprimé, embossed geprägt gaufré, insulated isoliert isolé, recycled recycelt recyclé
woven gewebt tissé, glazed glasiert émaillé, classic klassisch classique
"""
_COLOURS: Final = """
White Weiss Blanc #ffffff, Black Schwarz Noir #101010, Red Rot Rouge #c0392b, Blue Blau Bleu #2471a3
Green Grün Vert #1e8449, Natural Natur Naturel #d7ccb4, Grey Grau Gris #7f8c8d, Yellow Gelb Jaune #f4d03f
Orange Orange Orange #e67e22, Pink Rosa Rose #f1948a, Brown Braun Marron #6e4b2a, Navy Marine Marine #1b2a49
"""
_SIZES: Final = """
Extra-small Sehr_klein Très_petit, Small Klein Petit, Medium Mittel Moyen, Large Gross Grand
Extra-large Sehr_gross Très_grand, Double Doppelt Double, A6 A6 A6, A5 A5 A5, A4 A4 A4, A3 A3 A3
"""
_FINISHES: Final = "Matt Matt Mat, Gloss Glanz Brillant, Raw Roh Brut"
_USES: Final = "home Zuhause maison, office Büro bureau, events Feste fêtes, travel Reisen voyage"
_SENTENCES: Final = (
    "Made to order in small runs and packed flat.",
    "Wipe clean with a damp cloth and let it dry in the air.",
    "Printed with water based inks that are safe for food.",
    "It stacks, so that a dozen take the space of three.",
    "The edges are rounded by hand and the seams are doubled.",
    "Ask for a sample before you order a thousand.",
    "Goes well with everything else of the series.",
    "Delivered with a card that tells where it was made.",
    "Keeps its shape for years and can be repaired.",
    "A favourite of cafés, studios and small museums.",
    "The finish differs a little from piece to piece.",
    "Free of plastic, down to the tape of the parcel.",
)


@dataclass(frozen=True)
class Word:
    """In English, then as in `LOCALES`; `hue` of colours."""

    text: str
    told: tuple[str, ...]
    hue: str | None = None


def _words(listed: str) -> tuple[Word, ...]:
    rows = ([part.replace("_", " ") for part in row.split()] for row in listed.replace("\n", ",").split(","))
    return tuple(Word(row[0], tuple(row[1:3]), row[3] if len(row) > 3 else None) for row in rows if row)


_LINES: Final = _KINDS.strip().splitlines()
DEPARTMENTS: Final = _words("\n".join(_LINES[::3]))
KINDS: Final = _words("\n".join(line for i, line in enumerate(_LINES) if i % 3))
"""Eight of each department, one department after the other."""
MATERIALS: Final = _words(_MATERIALS)
STYLES: Final = _words(_STYLES)
COLOURS: Final = _words(_COLOURS)
SIZES: Final = _words(_SIZES)
FINISHES: Final = _words(_FINISHES)
USES: Final = _words(_USES)
OPTIONS: Final = {
    Word("Size", ("Grösse", "Taille")): SIZES,
    Word("Colour", ("Farbe", "Couleur")): COLOURS,
    Word("Finish", ("Oberfläche", "Finition")): FINISHES,
}
_OPENINGS: Final = ("Nor", "Vel", "Osa", "Lum", "Tar", "Bri", "Kes", "Mar", "Fen", "Sol", "Alb", "Dor", "Hav", "Pim")
_MIDDLES: Final = ("a", "e", "i", "o", "u", "ela", "ino", "ero", "ami", "ora", "ette", "uma")
_ENDS: Final = ("mill", "na", "works", "ton", "dal", "ria", "print", "lo", "sen", "vik", "berg", "rin", "nor", "que")
NAMES: Final = tuple(a + b + c for c in _ENDS for b in _MIDDLES for a in _OPENINGS)
"""2,352 names that nobody has."""
VENDORS: Final = tuple(
    f"{name} {kind}" for name, kind in zip(NAMES[:400], ("Studio", "Works", "Supply", "& Co") * 100, strict=True)
)
TAGS: Final = (
    "new", "recycled", "food-safe", "gift", "outdoor", "bestseller", "handmade", "limited", "organic", "vegan",
    *(f"{style.text}-{material.text.lower()}" for style in STYLES for material in MATERIALS),
)  # fmt: skip
"""202 of them, the frequent ones first."""


class Zipf:
    """Draws numbers below `count`, the n-th in proportion to 1/n: a few very often, most of them seldom."""

    def __init__(self, count: int) -> None:
        self._bounds = list(accumulate(1 / n for n in range(1, count + 1)))

    def draw(self, random: Random) -> int:
        return bisect(self._bounds, random.random() * self._bounds[-1], 0, len(self._bounds) - 1)


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("x", "ch")) else "s")


def description(title: str, random: Random) -> str:
    """Sanitised HTML of two to five sentences."""
    sentences: Sequence[str] = random.sample(_SENTENCES, random.randrange(2, 6))
    return f"<p><strong>{title}.</strong> {' '.join(sentences[:2])}</p><p>{' '.join(sentences[2:])}</p>"
