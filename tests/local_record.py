"""A server on localhost in place of a record of published files."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def serving(answer: Callable[[str], bytes | None]) -> Iterator[str]:
    """Yield the address of a server that answers a path with bytes, or with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = answer(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()


def name_in(path: str) -> str:
    """Return the name of the file that a path of the record asks for."""
    return path.rpartition("/")[2].removesuffix("?download=1")
