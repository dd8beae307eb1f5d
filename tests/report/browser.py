"""A headless browser: how wide the elements of a page are, and a picture of it."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
WHY_NOT = f"none of the browsers {', '.join(NAMES)} is on the PATH"

# A page in a frame is laid out to the frame's width; windows have a least width of their own.
_FRAME = """<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0 }}</style>
<iframe style="border: 0; width: {width}px; height: {height}px" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const inside = document.querySelector("iframe").contentDocument;
  const scrolls = e => e && (["auto", "scroll"].includes(
    getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const wide = [...inside.body.querySelectorAll("*")]
    .filter(e => !scrolls(e.parentElement))
    .map(e => [e.tagName.toLowerCase(), e.getBoundingClientRect()])
    .filter(([, box]) => box.right > {width} + 0.5 || box.left < -0.5)
    .map(([name, box]) => name + " to " + Math.round(box.right));
  const root = inside.documentElement;
  const pre = document.createElement("pre");
  pre.id = "measured";
  pre.textContent = JSON.stringify(
    {{wide, viewport: root.clientWidth, content: root.scrollWidth, height: root.scrollHeight,
      images: [...inside.images].map(i => i.naturalWidth)}});
  document.body.append(pre);
}};
</script>"""


def run(*options: str) -> str:
    with tempfile.TemporaryDirectory() as profile:
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={profile}", "--virtual-time-budget=5000", *options]
        done = subprocess.run(command, check=True, capture_output=True, timeout=180)
    return done.stdout.decode(errors="replace")


def measure(page: Path, width: int, folder: Path, height: int = 3_000) -> dict:
    """Return what is wider than the viewport, unless it scrolls, and sizes of page and images."""
    text = html.escape(page.read_text(encoding="utf-8"), quote=True)
    frame = folder / f"frame_{width}.html"
    frame.write_text(_FRAME.format(width=width, height=height, page=text), encoding="utf-8")
    dom = run("--dump-dom", f"--window-size={max(width, 500)},{height}", frame.as_uri())
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert found, dom[-2_000:]
    return json.loads(html.unescape(found[1]))


def screenshot(page: Path, width: int, folder: Path, height: int = 3_000) -> Path:
    """Return a picture of the page at a width; the frame of :func:`measure` must be there."""
    shot = folder / f"shot_{width}.png"
    frame = folder / f"frame_{width}.html"
    run(f"--screenshot={shot}", f"--window-size={width},{height}", frame.as_uri())
    return shot
