"""Drawn pictures: the same for the same address, for every category, showing what a title names."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pytest

from dvor.contracts.catalog import Text
from dvor.web import pictures

CATEGORIES = {
    "product": "home kitchen decor textiles gifts stationery party wear toys food",
    "rental": "tools bikes camping cameras sport",
    "stay": "hotels guesthouses apartments countryside",
    "event": "concerts lectures workshops theatre tours",
}
EVERY = [(kind, category) for kind, names in CATEGORIES.items() for category in names.split()]
SIZE_MAX = 20_000


@dataclass(frozen=True)
class Thing:
    picture: str
    title: Text


class TestDraw:
    @pytest.mark.parametrize(("kind", "category"), EVERY)
    def test_every_category_gives_a_small_whole_svg(self, kind: str, category: str) -> None:
        for seed in ("0", "1f2e3d4c", "ffffffff"):
            svg = pictures.draw(kind, category, seed)
            assert ET.fromstring(svg).get("viewBox") == "0 0 400 500"
            assert len(svg) < SIZE_MAX

    @pytest.mark.parametrize(("kind", "category"), EVERY)
    def test_seeds_vary_the_scene(self, kind: str, category: str) -> None:
        assert len({pictures.draw(kind, category, str(seed)) for seed in range(12)}) > 4

    def test_the_same_address_is_the_same_picture_after_the_memory_is_emptied(self) -> None:
        before = pictures.draw("stay", "hotels", "a1b2c3d4")
        pictures.draw.cache_clear()
        assert pictures.draw("stay", "hotels", "a1b2c3d4") == before

    def test_an_unknown_category_gets_a_scene_of_its_kind(self) -> None:
        for kind in CATEGORIES:
            assert pictures.draw(kind, "unheard-of", "1").startswith("<svg")

    def test_pictures_carry_no_text_and_no_script(self) -> None:
        for kind, category in EVERY:
            svg = pictures.draw(kind, category, "7")
            assert "<text" not in svg
            assert "<script" not in svg
            assert "gradient" not in svg.lower()

    def test_a_seed_from_outside_never_reaches_the_svg(self) -> None:
        assert "<x>" not in pictures.draw("product", "home", '"><x>')


class TestAddress:
    @staticmethod
    def shown(picture: str, en: str = "", ru: str = "") -> str:
        return pictures.address(Thing(picture, Text(en=en, ru=ru)))

    def test_the_title_chooses_what_is_drawn(self) -> None:
        kayak = self.shown("/pictures/rental/sport/0a1b2c3d.svg", ru="Каяк для шхер")
        assert kayak == "/pictures/rental/sport/kayak-0a1b2c3d.svg"

    def test_a_title_without_a_known_thing_keeps_the_plain_address(self) -> None:
        plain = "/pictures/product/decor/0a1b2c3d.svg"
        assert self.shown(plain, en="Something else") == plain

    def test_a_category_only_shows_what_it_can_draw(self) -> None:
        plain = "/pictures/stay/hotels/0a1b2c3d.svg"
        assert self.shown(plain, en="The Mug Hotel") == plain

    def test_other_addresses_stay_as_they_are(self) -> None:
        assert self.shown("/uploads/1.webp", en="A mug") == "/uploads/1.webp"

    def test_the_subject_is_seen_whatever_the_seed(self) -> None:
        drawn = {pictures.draw("rental", "sport", f"kayak-{seed}") for seed in range(6)}
        balls = {pictures.draw("rental", "sport", f"ball-{seed}") for seed in range(6)}
        assert not drawn & balls
