"""The report: complete, self-contained, escaped, legible on narrow and wide screens."""

import re
import struct
from html.parser import HTMLParser

import pytest
from report.browser import BROWSER, WHY_NOT, measure, screenshot

import txpert as tx

EVIL = '<script>alert("x")</script>&'


class Page(HTMLParser):
    """Collects tags, addresses and headings, and that tags are closed in order."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.addresses, self.headings = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture
def written(adata, make_model, tmp_path):
    model = make_model(adata, components=("mean", "network"), decoding="low_rank")
    tx.tl.evaluate(adata, model)
    tx.tl.ceiling(adata, n_repeats=2)
    results = adata.uns["txpert"]
    results["metrics"] = results["metrics"].replace({"general": EVIL})
    results["summary"] = results["summary"].rename({"general": EVIL})
    results["delta"][EVIL] = results["delta"].pop("general")
    path = tx.report(adata, model, tmp_path / "report.html", title=f"Screen {EVIL}")
    return path, path.read_text(encoding="utf-8")


def test_whole_self_contained_and_escaped(written, adata):
    _, text = written
    page = Page(text)
    assert page.open == []
    expected = ["Data", "Split", "Leak check", "Scores", "Figures", "Settings", "Methods"]
    assert set(expected) <= set(page.headings)
    assert {"Limits", "Versions", "Components of the prediction"} <= set(page.headings)
    assert "script" not in page.tags
    assert "&lt;script&gt;" in text
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert page.tags.count("img") >= 2
    assert not re.search(r"url\(|@import|https?://[^ <)]+\.(css|js|woff)", text)
    assert adata.uns["txpert_split"]["sha256"] in text
    assert "No problems found" in text
    assert "ceiling: split_half" in text
    assert 'name="viewport" content="width=device-width' in text


def test_figures_are_no_wider_than_needed_on_a_phone(written):
    _, text = written
    assert re.search(r"img \{[^}]*max-width: 100%; height: auto", text)
    assert "overflow-x: auto" in text  # tables scroll by themselves


def test_leaks_are_listed(adata, make_model, tmp_path):
    model = make_model(adata)
    tx.tl.evaluate(adata, model)
    adata.obs["split"] = adata.obs["split"].astype(str).replace({"val": "train", "nan": None})
    text = tx.report(adata, model, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "stale_hash" in text
    assert "no: the split has changed since" in text


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason=WHY_NOT)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_browser(written, tmp_path, width):
    path, _ = written
    found = measure(path, width, tmp_path)
    assert found["wide"] == []
    assert found["viewport"] == found["content"] == width
    assert len(found["images"]) >= 2
    assert min(found["images"]) > 300
    shot = screenshot(path, width, tmp_path)
    assert struct.unpack(">I", shot.read_bytes()[16:20])[0] == width


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason=WHY_NOT)
def test_the_measurement_finds_what_is_too_wide(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<body><div style='width: 900px'>x</div></body>")
    assert measure(page, 390, tmp_path)["wide"] == ["div to 908"]
    scrolls = "<div style='overflow-x: auto'><div style='width: 900px'>x</div></div>"
    page.write_text(f"<body>{scrolls}</body>")
    assert measure(page, 390, tmp_path)["wide"] == []
