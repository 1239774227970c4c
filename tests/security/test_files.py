"""Hostile files and bodies: what is no picture, what is too much, what is not what it says."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.house.world import SAME_SITE, World, picture

SCRIPT = b"<script>alert(document.domain)</script>"


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is this large, in a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def with_words() -> bytes:
    """A PNG that carries words and a place."""
    file, words = io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_text("Comment", SCRIPT.decode())
    Image.new("RGB", (9, 9)).save(file, "PNG", pnginfo=words)
    return file.getvalue()


HOSTILE = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>1</script></svg>',
    "html": b"<!doctype html>" + SCRIPT,
    "gif header": b"GIF89a/*" + SCRIPT + b"*/=1;",
    "bomb": png_of(60_000, 60_000),
    "long": png_of(1, 2**31 - 1),
    "truncated": picture(64)[:60],
    "nothing": b"",
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
}
CARRYING = {"appended": picture(16) + SCRIPT, "in a comment": with_words()}


class TestHostilePictures:
    @pytest.mark.parametrize("name", HOSTILE)
    async def test_what_is_no_picture_is_refused(self, world: World, name: str) -> None:
        person = world.customer
        headers = {"content-type": "image/png"}
        answer = await world.api(
            person, "PUT", "/api/v1/me/avatar", content=HOSTILE[name], headers=headers
        )
        assert answer.status_code == 422
        files = {"picture": ("../../x.png", HOSTILE[name], "image/png")}
        shown = await world.page(person, "POST", "/account/avatar", files=files)
        assert shown.status_code == 422

    @pytest.mark.parametrize("name", CARRYING)
    async def test_a_picture_keeps_its_looks_only(self, world: World, name: str) -> None:
        person = world.customer
        files = {"picture": ('"><script>.png', CARRYING[name], "text/html")}
        saved = await world.page(person, "POST", "/account/avatar", files=files)
        assert saved.status_code == 303
        shown = await world.api(world.nobody, "GET", f"/api/v1/users/{person.id}/avatar")
        assert shown.headers["content-type"] == "image/webp"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert b"script" not in shown.content
        assert Image.open(io.BytesIO(shown.content)).size == (256, 256)


class TestHostileBodies:
    async def test_a_body_past_the_limit_is_refused(self, world: World) -> None:
        async def endless() -> Any:
            for _ in range(7):
                yield b"x" * 1_000_000

        large = b"x" * (world.house.settings.body_max_bytes + 1)
        headers = {"content-type": "application/json"}
        for content in (large, endless()):
            answer = await world.api(
                world.customer, "PATCH", "/api/v1/me", content=content, headers=headers
            )
            assert answer.status_code == 413
        headers = SAME_SITE | {"content-type": "application/x-www-form-urlencoded"}
        answer = await world.http.post("/sign-in", content=b"a=" + large, headers=headers)
        assert answer.status_code == 413

    @pytest.mark.parametrize("kind", ["urlencoded", "multipart", "files"])
    async def test_many_fields_are_refused(self, world: World, kind: str) -> None:
        who = world.customer
        fields = {f"f{n}": "x" for n in range(20_000 if kind == "urlencoded" else 1_500)}
        if kind == "files":
            files = [(name, (name, b"x", "text/plain")) for name in fields]
            answer = await world.page(who, "POST", "/account/avatar", files=files)
        elif kind == "multipart":
            files = {"a": ("a", b"x", "text/plain")}
            answer = await world.page(who, "POST", "/account/avatar", fields, files=files)
        else:
            answer = await world.page(who, "POST", "/account", fields)
        assert 400 <= answer.status_code < 500

    async def test_deep_and_broken_json_is_refused(self, world: World) -> None:
        headers = {"content-type": "application/json"}
        for content in (
            b"[" * 100_000, b'{"a":' * 50_000, b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}',
            b"\xff\xfe\x00", b"\x00", b'{"name": "x", "name": "y", "role": "admin"}', b"{", b"",
            b'{"city": ' + b"1" * 10_000 + b"}",
        ):  # fmt: skip
            answer = await world.api(
                world.customer, "PATCH", "/api/v1/me", content=content, headers=headers
            )
            assert 400 <= answer.status_code < 500, content[:30]

    async def test_a_packed_body_is_not_unpacked(self, world: World) -> None:
        packed = zlib.compress(b'{"city": "' + b" " * 50_000_000 + b'"}')
        headers = {"content-type": "application/json", "content-encoding": "deflate"}
        answer = await world.api(
            world.customer, "PATCH", "/api/v1/me", content=packed, headers=headers
        )
        assert 400 <= answer.status_code < 500

    async def test_huge_headers_reach_no_service(self, world: World) -> None:
        for name, value in (
            ("authorization", "Bearer " + "a" * 100_000), ("authorization", "Basic eDp5"),
            ("authorization", "Bearer"), ("dvor-guest", "g" * 5_000), ("idempotency-key", "1" * 9_999),
            ("accept-language", "ru," * 10_000), ("range", "bytes=" + "0-1," * 10_000),
            ("if-none-match", '"' * 10_000), ("last-event-id", "9" * 5_000),
        ):  # fmt: skip
            for path in ("/api/v1/me", "/api/v1/cart", f"/api/v1/listings/{world.product.id}"):
                answer = await world.http.get(path, headers={name: value})
                assert answer.status_code < 500, name

    async def test_no_path_leads_out_of_the_assets(self, world: World) -> None:
        for path in (
            "../../../topology.py", "..%2f..%2f..%2ftopology.py", "%2e%2e/%2e%2e/topology.py",
            "....//....//topology.py", "..\\..\\topology.py", "/etc/passwd", "%00", "%2fetc%2fpasswd",
            "manifest.json/../../__init__.py", "..%252f..%252ftopology.py",
        ):  # fmt: skip
            answer = await world.http.get(f"/static/{path}")
            assert answer.status_code in (400, 404, 405, 422), path
