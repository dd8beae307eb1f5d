import gzip
import hashlib
import http.server
import io
import multiprocessing
import re
import threading
import zipfile
from dataclasses import replace

import pytest
import requests

import txpert as tx
from txpert.graph import _sources as sources
from txpert.graph import fetch, reactome, show

GMT = b"set\tdescription\tJAK2\tSTAT1\n"


@pytest.fixture
def server():
    """Serve files from a dictionary; a value may be (status, claimed length, body)."""
    files, asked = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, length, body = files.get(self.path, (404, 0, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}", files, asked
    httpd.shutdown()


def offer(files, path, body):
    files[path] = (200, len(body), body)


def test_a_file_is_fetched_once_and_its_hash_kept(server, tmp_path):
    address, files, asked = server
    offer(files, "/a.gmt.gz", gzip.compress(GMT))
    first = fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")
    second = fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")
    assert first == second
    assert first.read_bytes() == files["/a.gmt.gz"][2]
    assert asked == ["/a.gmt.gz"]
    assert set(tmp_path.iterdir()) == {first, first.with_name(f"{first.name}.sha256")}


def test_a_file_that_changed_in_the_cache_is_refused(server, tmp_path):
    address, files, _ = server
    offer(files, "/a.gmt", GMT)
    path = fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt")
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"a\.gmt has changed since it was downloaded"):
        fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt")


def test_a_download_that_breaks_off_leaves_nothing(server, tmp_path):
    address, files, _ = server
    body = gzip.compress(GMT * 5000)
    files["/a.gmt.gz"] = (200, len(body), body[: len(body) // 2])
    with pytest.raises(ConnectionError, match=r"put it at .*a\.gmt\.gz"):
        fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_gzip_that_the_server_itself_cut_off_leaves_nothing(server, tmp_path):
    address, files, _ = server
    body = gzip.compress(GMT * 5000)
    offer(files, "/a.gmt.gz", body[: len(body) // 2])
    with pytest.raises(ValueError, match="cut off or damaged"):
        fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")
    assert list(tmp_path.iterdir()) == []
    offer(files, "/a.gmt.gz", body)
    assert fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz").exists()


@pytest.mark.parametrize("where", ["/missing.gz", "offline"])
def test_what_cannot_be_fetched_says_what_to_put_where(server, tmp_path, where):
    address, _, _ = server
    url = "http://127.0.0.1:9/file.gz" if where == "offline" else address + where
    with pytest.raises(ConnectionError) as error:
        fetch("string_links", cache_dir=tmp_path, url=url)
    name = url.rpartition("/")[2]
    assert url in str(error.value)
    assert re.search(f"put it at {tmp_path}/[0-9a-f]{{12}}-{name}", str(error.value))
    assert list(tmp_path.iterdir()) == []


def test_a_file_put_there_by_hand_is_used_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path))
    (tmp_path / "ReactomePathways.gmt.zip").write_bytes(gzip.compress(GMT))
    assert reactome().nodes.tolist() == ["JAK2", "STAT1"]


def test_readers_download_what_they_are_not_given(server, tmp_path, monkeypatch):
    address, files, asked = server
    offer(files, "/ReactomePathways.gmt.zip", gzip.compress(GMT))
    here = sources.SourceFile(f"{address}/ReactomePathways.gmt.zip", "", "")
    source = replace(sources.SOURCES["reactome"], files={"reactome": here})
    monkeypatch.setitem(sources.SOURCES, "reactome", source)
    assert reactome(cache_dir=tmp_path).n_edges == 2
    assert reactome(cache_dir=tmp_path).n_edges == 2
    assert len(asked) == 1


def test_every_address_has_a_name_of_its_own(server, tmp_path):
    address, files, _ = server
    places = ["/current/pathways.gmt", "/85/pathways.gmt", "/x/b%2F..%2Fpathways.gmt?a=b"]
    paths = []
    for number, place in enumerate(places):
        offer(files, place, GMT + str(number).encode())
        paths.append(fetch("reactome", cache_dir=tmp_path, url=address + place))
    assert [path.read_bytes()[-1:] for path in paths] == [b"0", b"1", b"2"]
    assert {path.parent for path in paths} == {tmp_path}
    again = fetch("reactome", cache_dir=tmp_path, url=address + places[1])
    assert again == paths[1]


def test_listed_files_have_names_of_their_own():
    assert show("files")["filename"].is_unique


PAGES = {
    "html": b"<!DOCTYPE html>\n<html><body>Please log in</body></html>",
    "html_after_blanks": b"\xef\xbb\xbf \r\n<HTML>",
    "html_in_gzip": gzip.compress(b"<html></html>"),
    "json": b'{"error": "too many requests"}',
    "empty": b"",
    "blank": b" \n\n",
    "empty_gzip": gzip.compress(b""),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_or_nothing_is_refused_and_not_kept(server, tmp_path, page):
    address, files, _ = server
    offer(files, "/a.gmt.gz", PAGES[page])
    with pytest.raises(ValueError, match=r"/a\.gmt\.gz is (a web page|empty)"):
        fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_put_there_by_hand_is_refused_and_left(tmp_path):
    path = tmp_path / "ReactomePathways.gmt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.gmt", GMT)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match=r"ReactomePathways\.gmt\.zip is cut off or damaged"):
        fetch("reactome", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(whole)
    assert fetch("reactome", cache_dir=tmp_path) == path


@pytest.mark.parametrize("how", ["given", "listed"])
def test_a_digest_is_compared_with_a_published_one(server, tmp_path, monkeypatch, how):
    address, files, _ = server
    offer(files, "/a.gmt", GMT)
    right, wrong = (hashlib.sha256(data).hexdigest() for data in (GMT, b"other"))

    def get(digest):
        here = sources.SourceFile(f"{address}/a.gmt", "1", "", digest)
        source = replace(sources.SOURCES["reactome"], files={"reactome": here})
        monkeypatch.setitem(sources.SOURCES, "reactome", source)
        options = {"sha256": digest} if how == "given" else {}
        return fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt", **options)

    with pytest.raises(ValueError, match=f"not {wrong}: it is damaged or of another release"):
        get(wrong)
    assert list(tmp_path.iterdir()) == []
    assert get(right.upper()).read_bytes() == GMT
    with pytest.raises(ValueError, match="of another release than asked for"):
        get(wrong)


@pytest.fixture
def web(monkeypatch):
    """Answer requests from a dictionary of bodies, or of (status, location)."""
    pages = {}

    def send(_, request, **__):
        page, response = pages[request.url], requests.Response()
        response.status_code = 200 if isinstance(page, bytes) else page[0]
        response.url, response.request = request.url, request
        response.raw = io.BytesIO(page if isinstance(page, bytes) else b"")
        if not isinstance(page, bytes):
            response.headers["location"] = page[1]
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return pages


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_https_is_not_left_on_a_redirect(web, tmp_path, status):
    web |= {
        "https://a.org/x.gmt": (status, "/y.gmt"),
        "https://a.org/y.gmt": (status, "http://b.org/x.gmt"),
        "http://b.org/x.gmt": GMT,
    }
    with pytest.raises(ConnectionError, match=r"leads from https to http://b\.org/x\.gmt"):
        fetch("reactome", cache_dir=tmp_path, url="https://a.org/x.gmt")
    assert list(tmp_path.iterdir()) == []
    web["https://a.org/y.gmt"] = (status, "https://b.org/x.gmt")
    web["https://b.org/x.gmt"] = GMT
    path = fetch("reactome", cache_dir=tmp_path, url="https://a.org/x.gmt")
    assert path.read_bytes() == GMT


def test_redirects_in_a_circle_end(web, tmp_path):
    web["https://a.org/x.gmt"] = (302, "https://a.org/x.gmt")
    with pytest.raises(ConnectionError, match="from one address to another"):
        fetch("reactome", cache_dir=tmp_path, url="https://a.org/x.gmt")


def test_of_two_processes_one_fetches(server, tmp_path):
    pytest.importorskip("fcntl")
    address, files, asked = server
    body = gzip.compress(GMT * 200_000)
    offer(files, "/a.gmt.gz", body)
    context = multiprocessing.get_context("fork")

    def get():
        fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz")

    processes = [context.Process(target=get) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert asked == ["/a.gmt.gz"]
    assert fetch("reactome", cache_dir=tmp_path, url=f"{address}/a.gmt.gz").read_bytes() == body


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cache folder .*/file/x cannot be made .* TXPERT_CACHE"):
        fetch("reactome", cache_dir=tmp_path / "file" / "x")


def test_sources_are_listed_and_unknown_ones_named():
    files, table = show("files"), show()
    assert files["url"].str.startswith("https://").all()
    assert (files[["release", "size", "filename"]] != "").all(axis=None)
    assert set(files["source"]) <= set(table.index)
    assert (table != "").all(axis=None)
    assert all(callable(getattr(tx.graph, name)) for name in table.index)
    with pytest.raises(KeyError, match="no source 'kegg'; there are biogrid, go_annotations"):
        fetch("kegg")
    with pytest.raises(ValueError, match="'sources' or 'files', not 'all'"):
        show("all")


def test_another_release_of_a_file_is_not_taken_for_it(server, tmp_path):
    address, files, _ = server
    for release, gene in (("current", b"JAK2"), ("85", b"STAT1")):
        offer(files, f"/{release}/a.gmt", b"set\tdescription\tIRF1\t" + gene + b"\n")
    for _ in range(2):
        for release, gene in (("current", b"JAK2"), ("85", b"STAT1")):
            path = fetch("reactome", cache_dir=tmp_path, url=f"{address}/{release}/a.gmt")
            assert gene in path.read_bytes()
