"""Pictures that people send: checked before they are decoded, and never kept as they came.

The only door to Pillow. What comes out is pixels we encoded ourselves: no metadata, no second
file hidden behind the first, no animation.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image

PIXELS_MAX = 20_000_000
"""Width times height of a picture we decode."""
SCANS_MAX = 64
"""Passes of a progressive JPEG: each costs a walk over all pixels, a real one has about ten."""
_ROUGH_PX = 1024
_FORMATS = ("PNG", "JPEG", "WEBP")
_WEBP_QUALITY = 82
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow refuses above twice this number, for WebP even before it allocates the canvas. Below that
# it only warns, and we refuse.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class NotAPicture(ValueError):
    """This cannot be used as a picture. The text says why, for logs only."""


@dataclass(frozen=True)
class Picture:
    """A picture we encoded. `version` is a short hash of it."""

    content: bytes
    content_type: str
    version: str


def square(content: bytes, *, side_px: int, bytes_max: int) -> Picture:
    """The middle square of a PNG, JPEG or WebP (its first frame) as WebP of `side_px`.

    Takes about a second and 90 MB at most, 310 MB for a WebP: run it in a thread, one at a time.
    Raises NotAPicture.
    """
    if len(content) > bytes_max:
        raise NotAPicture("too many bytes")
    try:
        picture = _decoded(content, side_px)
        encoded = io.BytesIO()
        picture.save(encoded, "WEBP", quality=_WEBP_QUALITY, method=4)
    except NotAPicture:
        raise
    except Exception as problem:  # decoders fail in many ways; all mean the same
        raise NotAPicture(repr(problem)) from problem
    result = encoded.getvalue()
    return Picture(result, "image/webp", hashlib.sha256(result).hexdigest()[:12])


def _decoded(content: bytes, side_px: int) -> Image.Image:
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > SCANS_MAX:
        raise NotAPicture("too many passes")
    with Image.open(io.BytesIO(content), formats=_FORMATS) as source:
        width, height = source.size
        if width * height > PIXELS_MAX or not width or not height:
            raise NotAPicture(f"{width} x {height} pixels")
        upright = _UPRIGHT.get(source.getexif().get(_ORIENTATION, 1))
        source.draft("RGB", (side_px * 2, side_px * 2))
        source.load()
        width, height = source.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        # A rough step first, because the fine one copies all its pixels.
        rough = (min(side, _ROUGH_PX),) * 2
        small = source.resize(
            rough, Image.Resampling.NEAREST, box=(left, top, left + side, top + side)
        )
    if small.mode.startswith("I"):
        small = _eight_bits(small)
    fine = small.convert("RGBA").resize((side_px, side_px), Image.Resampling.LANCZOS)
    if upright is not None:
        fine = fine.transpose(upright)
    fine.info = {}
    return fine


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of 16 bits: Pillow would cut off instead of scaling down."""
    return picture.convert("I").point(lambda value: value / 256).convert("L")
