"""The catalogue over REST."""

from uuid import uuid4

import pytest

from dvor.contracts.catalog import Search
from tests.services.catalog.drafts import product, room


class TestReading:
    async def test_lists_and_finds(self, scene) -> None:
        mug = await scene.publish(product("Кружка", 100))
        await scene.publish(room())
        answer = await scene.house.http.get(
            "/api/v1/listings", params={"price_max": 100, "limit": 5}
        )
        assert answer.status_code == 200
        assert [card["id"] for card in answer.json()["items"]] == [str(mug.id)]
        assert answer.json()["total"] == 1

    async def test_pages_by_cursor(self, scene) -> None:
        for _ in range(3):
            await scene.publish(product())
        seen, cursor = [], None
        for _ in range(3):
            asked = {"limit": 1} | ({"cursor": cursor} if cursor else {})
            page = (await scene.house.http.get("/api/v1/listings", params=asked)).json()
            seen += [card["id"] for card in page["items"]]
            cursor = page["next_cursor"]
        assert len(set(seen)) == 3
        assert cursor is None

    async def test_shows_a_listing_once_per_version(self, scene) -> None:
        listing = await scene.publish(product())
        path = f"/api/v1/listings/{listing.id}"
        answer = await scene.house.http.get(path)
        etag = answer.headers["etag"]
        assert (answer.status_code, etag) == (200, f'"{listing.version}"')
        again = await scene.house.http.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        older = await scene.house.http.get(path, headers={"If-None-Match": '"0", "1"'})
        assert older.status_code == 200

    async def test_knows_the_categories(self, scene) -> None:
        answer = await scene.house.http.get("/api/v1/categories")
        assert {
            "slug": "home",
            "parent": "",
            "kind": "product",
            "title": {"ru": "Дом", "en": "Home"},
        } in answer.json()["items"]

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("limit=0", 422),
            ("limit=101", 422),
            ("price_min=-1", 422),
            ("price_min=1.5", 422),
            ("kind=spaceship", 422),
            ("cursor=nonsense", 422),
            ("sort=random", 422),
            ("status=any", 200),
        ],
    )
    async def test_refuses_what_makes_no_sense(self, scene, query, status) -> None:
        answer = await scene.house.http.get(f"/api/v1/listings?{query}")
        assert answer.status_code == status
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"

    async def test_does_not_show_drafts(self, scene) -> None:
        listing = await scene.create(product())
        answer = await scene.house.http.get(f"/api/v1/listings/{listing.id}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "catalog.unknown_listing"


class TestQuotes:
    async def test_price_lines_without_a_key(self, scene) -> None:
        listing = await scene.publish(room(price=500_000))
        dates = {"start": "2027-03-01", "end": "2027-03-03"}
        line = {"offer_id": str(listing.offers[0].id), "quantity": 1, "dates": dates}
        answer = await scene.house.http.post("/api/v1/quotes", json={"lines": [line]})
        assert answer.status_code == 200
        assert answer.json()["total"] == {"amount": 1_000_000, "currency": "RUB"}

    async def test_name_what_is_wrong(self, scene) -> None:
        line = {"offer_id": str(uuid4()), "quantity": 1}
        answer = await scene.house.http.post("/api/v1/quotes", json={"lines": [line]})
        assert (answer.status_code, answer.json()["code"]) == (404, "catalog.unknown_offer")
        answer = await scene.house.http.post("/api/v1/quotes", json={"lines": []})
        assert answer.status_code == 422


class TestWriting:
    async def test_a_listing_goes_from_draft_to_sale_to_archive(self, scene) -> None:
        body = product().model_dump(mode="json")
        made = await scene.send("POST", "/listings", by="seller", json=body)
        assert made.status_code == 201
        path = f"/listings/{made.json()['id']}"
        body["title"]["ru"] = "Пиала"
        changed = await scene.send("PUT", f"{path}?version=1", by="seller", json=body)
        assert (changed.json()["title"]["ru"], changed.json()["version"]) == ("Пиала", 2)
        stale = await scene.send("PUT", f"{path}?version=1", by="seller", json=body)
        assert (stale.status_code, stale.json()["code"]) == (409, "catalog.outdated")
        foreign = await scene.send("PUT", f"{path}?version=2", by="other", json=body)
        assert foreign.status_code == 404
        published = await scene.send("POST", f"{path}/publish", by="seller")
        assert published.json()["status"] == "published"
        foreign = await scene.send("POST", f"{path}/archive", by="other")
        assert foreign.status_code == 403
        archived = await scene.send("POST", f"{path}/archive", by="seller")
        assert archived.json()["status"] == "archived"

    async def test_a_repeated_request_makes_one_listing(self, scene) -> None:
        key, body = uuid4(), product().model_dump(mode="json")
        first = await scene.send("POST", "/listings", by="seller", key=key, json=body)
        again = await scene.send("POST", "/listings", by="seller", key=key, json=body)
        assert (again.status_code, again.json()) == (201, first.json())
        with scene.house.calling(scene.seller):
            assert (await scene.catalog.search(Search(status=None))).total == 1

    async def test_names_the_fields_that_are_wrong(self, scene) -> None:
        body = product().model_dump(mode="json")
        body["offers"][0]["price"] = 10**11
        answer = await scene.send("POST", "/listings", by="seller", json=body)
        assert answer.status_code == 422
        assert "offers.0.price" in answer.text

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/listings"),
            ("PUT", f"/listings/{uuid4()}?version=1"),
            ("POST", f"/listings/{uuid4()}/publish"),
            ("POST", f"/listings/{uuid4()}/archive"),
        ],
        ids=["create", "change", "publish", "archive"],
    )
    async def test_is_not_for_strangers(self, scene, method, path) -> None:
        body = product().model_dump(mode="json") if "/publish" not in path else None
        answer = await scene.send(method, path, json=body)
        assert answer.status_code == 401
