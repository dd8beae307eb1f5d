import gzip
import http.server
import threading
from dataclasses import replace

import pytest

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
    assert first == second == tmp_path / "a.gmt.gz"
    assert asked == ["/a.gmt.gz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gmt.gz", "a.gmt.gz.sha256"]


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
    assert f"put it at {tmp_path / name}" in str(error.value)
    assert not any(path.is_file() for path in tmp_path.iterdir())


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
