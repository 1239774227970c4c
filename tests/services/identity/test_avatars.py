"""Pictures of people: what is taken, what is refused, what is left of them."""

import asyncio
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from dvor.contracts.identity import BadImage, UnknownUser, User
from dvor.kernel import images
from dvor.kernel.errors import InvalidFields, Unauthenticated

# Pillow reads every WebP as an animation: two canvases, and two copies of the frame.
LIMIT_MB = {"PNG": 100, "JPEG": 100, "WEBP": 330}
MEASURE = """
import sys
from dvor.kernel import images
from PIL import Image
Image.init()
content = open(sys.argv[1], "rb").read()
def peak():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
before = peak()
images.square(content, side_px=256, bytes_max=5_000_000)
print(peak() - before)
"""


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), **options: Any) -> bytes:
    """A picture: red on the left, blue on the right."""
    image = Image.new(options.pop("mode", "RGB"), size, options.pop("colour", "red"))
    if image.mode == "RGB":
        image.paste("blue", (size[0] // 2, 0, *size))
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    """A PNG that says how large it is and need not be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data, 9))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunks)
        + body
        + chunk(b"IEND", b"")
    )


def opened(content: bytes) -> Any:
    """What we made of a picture."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def squared(content: bytes) -> images.Picture:
    """As identity asks for it."""
    return images.square(content, side_px=256, bytes_max=5_000_000)


class TestSetAvatar:
    async def test_it_is_kept_as_a_square_webp_of_ours(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera):
            user = await house.identity.set_avatar(picture())
        avatar = await house.identity.avatar(vera.id)
        assert (avatar.content_type, avatar.version) == ("image/webp", user.avatar)
        assert len(avatar.version) == 12
        assert (opened(avatar.content).format, opened(avatar.content).size) == ("WEBP", (256, 256))
        assert (await people.events())[-1][0] == "identity.user_changed.v1"

    async def test_another_replaces_it_and_empty_bytes_remove_it(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera):
            first = await house.identity.set_avatar(picture())
            second = await house.identity.set_avatar(picture(size=(100, 100)))
            assert first.avatar != second.avatar
            assert (await house.identity.set_avatar(b"")).avatar == ""
            await house.identity.set_avatar(b"")
        with pytest.raises(UnknownUser):
            await house.identity.avatar(vera.id)

    async def test_strangers_have_none(self, house: Any) -> None:
        with pytest.raises(Unauthenticated):
            await house.identity.set_avatar(picture())
        with pytest.raises(UnknownUser):
            await house.identity.avatar(uuid4())

    async def test_what_is_no_picture_is_refused_and_changes_nothing(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera):
            kept = await house.identity.set_avatar(picture())
            with pytest.raises(BadImage):
                await house.identity.set_avatar(b"no picture")
            assert (await house.identity.me()) == kept

    async def test_more_than_five_megabytes_are_refused(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera), pytest.raises(InvalidFields):
            await house.identity.set_avatar(b"\x89PNG" + bytes(5_000_000))

    async def test_fifty_at_once_are_decoded_one_by_one(
        self, house: Any, people: Any, vera: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_once = most = 0
        decode = images._decoded

        def counting(content: bytes, side_px: int) -> Image.Image:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            result = decode(content, side_px)
            at_once -= 1
            return result

        monkeypatch.setattr(images, "_decoded", counting)
        with people.calling(vera):
            await asyncio.gather(*(house.identity.set_avatar(picture()) for _ in range(50)))
        assert most == 1


class TestSquare:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("size", [(1, 1), (40, 30), (1000, 20), (20, 1000), (3000, 2000)])
    def test_every_shape_becomes_a_square(self, kind: str, size: tuple[int, int]) -> None:
        assert opened(squared(picture(kind, size)).content).size == (256, 256)

    def test_the_middle_is_kept(self) -> None:
        image = opened(squared(picture(size=(900, 300))).content).convert("RGB")
        left, right = image.getpixel((10, 128)), image.getpixel((245, 128))
        assert left[0] > 200 > 60 > left[2]
        assert right[2] > 200 > 60 > right[0]

    @pytest.mark.parametrize(
        ("orientation", "red"),
        [(1, (20, 128)), (3, (235, 128)), (6, (128, 20)), (8, (128, 235))],
    )
    def test_it_stands_upright(self, orientation: int, red: tuple[int, int]) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = opened(squared(picture("JPEG", (300, 300), exif=exif)).content).convert("RGB")
        assert image.getpixel(red)[0] > 200

    def test_nothing_of_the_original_stays(self) -> None:
        exif = Image.Exif()
        exif[0x010E] = "taken at home"
        content = picture("JPEG", exif=exif, comment=b"a comment", icc_profile=b"profile" * 40)
        made = squared(content + b"<script>alert(1)</script>PK\x03\x04").content
        for trace in (b"taken", b"comment", b"profile", b"script", b"PK\x03", b"EXIF", b"ICCP"):
            assert trace not in made

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
    def test_every_mode_of_a_png_is_taken(self, mode: str) -> None:
        colour = 40_000 if mode == "I;16" else None
        made = opened(squared(picture(mode=mode, colour=colour or 0)).content)
        if mode == "I;16":
            assert 150 <= made.convert("L").getpixel((9, 9)) <= 162

    def test_transparency_is_kept(self) -> None:
        made = opened(squared(picture(mode="RGBA", colour=(0, 0, 0, 0))).content)
        assert made.mode == "RGBA"
        assert made.getpixel((9, 9))[3] == 0

    def test_the_same_picture_has_the_same_version(self) -> None:
        assert squared(picture()).version == squared(picture()).version


class TestBombs:
    """None is decoded: each is refused at once."""

    def refused(self, content: bytes) -> None:
        with pytest.raises(images.NotAPicture):
            squared(content)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            b'<?xml version="1.0"?><svg/>',
            b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00",
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"\x00" * 100,
        ],
        ids=["empty", "cut", "svg", "svg with prolog", "gif", "pdf", "zip", "zeros"],
    )
    def test_other_kinds(self, content: bytes) -> None:
        self.refused(content)

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "TGA"])
    def test_kinds_that_pillow_would_read(self, kind: str) -> None:
        self.refused(picture(kind, (64, 64)))

    @pytest.mark.parametrize(
        "size", [(5000, 4001), (100_000, 100_000), (2**31 - 1, 2**31 - 1), (20_000_001, 1), (0, 5)]
    )
    def test_a_png_of_too_many_pixels(self, size: tuple[int, int]) -> None:
        self.refused(png(*size, data=b"\x00" * 1000))

    def test_a_webp_of_too_many_pixels(self) -> None:
        canvas = struct.pack("<I", 16_382)[:3] * 2
        body = b"VP8X" + struct.pack("<I", 10) + b"\x02\x00\x00\x00" + canvas
        self.refused(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)

    def test_a_jpeg_of_too_many_pixels(self) -> None:
        content = picture("JPEG")
        at = content.index(b"\xff\xc0")
        size = struct.pack(">HH", 60_000, 60_000)
        self.refused(content[: at + 5] + size + content[at + 9 :])

    def test_a_jpeg_of_endless_passes(self) -> None:
        content = picture("JPEG", progressive=True)
        at = content.rindex(b"\xff\xda")
        self.refused(content[:at] + content[at:-2] * 2000 + content[-2:])

    def test_text_that_unpacks_to_a_gigabyte(self) -> None:
        packed = zlib.compress(bytes(80_000_000), 9)
        self.refused(png(10, 10, chunk(b"zTXt", b"a\x00\x00" + packed), data=bytes(410)))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_a_picture_cut_short(self, kind: str) -> None:
        content = picture(kind, (800, 800), **({"quality": 95} if kind != "PNG" else {}))
        self.refused(content[: len(content) * 2 // 3])

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_of_an_animation_the_first_frame_is_taken(self, kind: str) -> None:
        frames = [Image.new("RGB", (60, 60), colour) for colour in ("red", "blue") * 100]
        content = io.BytesIO()
        frames[0].save(content, kind, save_all=True, append_images=frames[1:], duration=10)
        made = opened(squared(content.getvalue()).content)
        assert getattr(made, "n_frames", 1) == 1
        assert made.convert("RGB").getpixel((30, 30))[0] > 200

    def test_broken_bytes_never_crash(self) -> None:
        good = [picture(kind, (60, 40)) for kind in ("PNG", "JPEG", "WEBP")]
        for content in good:
            for at in range(0, len(content), 7):
                broken = bytearray(content)
                broken[at] ^= 0xFF
                try:
                    squared(bytes(broken))
                except images.NotAPicture:
                    continue

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
    def test_the_largest_that_is_taken_stays_small_in_memory(
        self, kind: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "picture"
        mode, colour = ("RGB", (9, 9, 9)) if kind == "JPEG" else ("RGBA", (9, 9, 9, 255))
        options = {"progressive": True} if kind == "JPEG" else {}
        options |= {"lossless": True, "method": 0} if kind == "WEBP" else {}
        source.write_bytes(picture(kind, (5000, 4000), mode=mode, colour=colour, **options))
        found = subprocess.run(
            [sys.executable, "-c", MEASURE, str(source)],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert 0 < float(found.stdout) < LIMIT_MB[kind]
