"""Pictures of the console: `python -m proof.screenshots` (`make screenshots`).

Opens the deployment of `tests/console/populated.py`, whose clock and ids are its own, and writes each of its pages in
both themes to docs/screenshots/NAME-light.png and NAME-dark.png: 1,200 pixels wide and as high as the page, at most
1,500, with the 256 colours that it has most of. Two more are of a phone. Exits 0 only if every page is there and the
pictures are small enough to be kept.
"""

from __future__ import annotations

import argparse
import base64
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from proof.browser import chromium
from tests.console.populated import Populated, populated
from tests.console.stand import ADA, PHONE, Stand, window

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
WIDE = {"width": 1200, "height": 800}
HIGH = 1500
PHONE_PAGES = ("inbox", "request")

EACH_MAX = 150_000
ALL_MAX = 6_000_000
"""Bytes of a picture, and of all."""


_COLOURS, _PALETTE = 25, 3
"""Where a picture says how its colours are kept, and that they are a palette."""

_INDEXED = """async (png) => {
  const made = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const drawn = new OffscreenCanvas(made.width, made.height).getContext("2d");
  drawn.drawImage(made, 0, 0);
  const points = new Uint32Array(drawn.getImageData(0, 0, made.width, made.height).data.buffer);
  const counts = new Map();
  for (const point of points) counts.set(point, (counts.get(point) || 0) + 1);
  const parts = (colour) => [colour & 255, colour >> 8 & 255, colour >> 16 & 255];
  const palette = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([colour]) => parts(colour));
  const places = new Map();
  for (const colour of counts.keys()) {
    const [red, green, blue] = parts(colour);
    let best = 0, least = Infinity;
    palette.forEach(([r, g, b], at) => {
      const far = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
      if (far < least) { least = far; best = at; }
    });
    places.set(colour, best);
  }
  let said = "";
  for (const point of points) said += String.fromCharCode(places.get(point));
  return [made.width, made.height, palette.flat(), btoa(said)];
}"""
"""What a picture is in 256 colours: width, height, the colours, and one of them for each point."""


def main() -> int:
    """Take the pictures, and say whether they are as they should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are written")
    parser.add_argument("--only", nargs="*", default=(), help="names of pages; all where none is said")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, populated(Path(folder)) as shop, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for theme in ("light", "dark"):
            taken(browser, shop, theme, options.folder, options.only)
        page = browser.new_page()
        for file in options.folder.glob("*.png"):
            if (png := file.read_bytes())[_COLOURS] != _PALETTE:
                file.write_bytes(indexed(page, png))
        browser.close()
    sizes = {file.name: file.stat().st_size for file in sorted(options.folder.glob("*.png"))}
    large = [f"{name}: {size:,} bytes" for name, size in sizes.items() if size > EACH_MAX]
    print(f"{len(sizes)} pictures, {sum(sizes.values()):,} bytes", *large, sep="\n")
    return 0 if not large and sum(sizes.values()) <= ALL_MAX else 1


def taken(browser: Browser, shop: Populated, theme: str, folder: Path, only: list[str]) -> None:
    """The pictures of one theme."""
    for name, path in shop.pages.items():
        if not only or name in only:
            picture(browser, shop.at, path, folder / f"{name}-{theme}.png", color_scheme=theme, viewport=WIDE)
            if name in PHONE_PAGES and theme == "light":
                picture(browser, shop.at, path, folder / f"{name}-phone.png", color_scheme=theme, viewport=PHONE)


def picture(browser: Browser, at: Stand, path: str, file: Path, **options: object) -> None:
    """A page as it is without its script, whose countdowns would be of this machine's time."""
    with window(browser, at, ADA, java_script_enabled=False, reduced_motion="reduce", **options) as seen:
        page = seen.go(path)
        wide = page.viewport_size or PHONE
        high = min(HIGH, int(page.locator("html").bounding_box()["height"]))  # type: ignore[index]  # it is shown
        page.set_viewport_size({"width": wide["width"], "height": max(high, wide["height"])})
        page.screenshot(path=file, animations="disabled")


def indexed(page: Page, png: bytes) -> bytes:
    """A picture with a palette: a third of the bytes, and no difference that somebody sees."""
    wide, high, palette, said = page.evaluate(_INDEXED, base64.b64encode(png).decode())
    points = base64.b64decode(said)
    lines = b"".join(b"\0" + points[wide * line : wide * (line + 1)] for line in range(high))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(palette)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


if __name__ == "__main__":
    sys.exit(main())
