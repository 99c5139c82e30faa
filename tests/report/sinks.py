"""Services on the loopback that take reports: a mail server and a web server."""

import http.server
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

S = TypeVar("S", bound=socketserver.TCPServer)


class MailSink(socketserver.ThreadingTCPServer):
    """Takes every mail (RFC 5321, as much as a client needs); `mails` has what came."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.mails: list[str] = []
        super().__init__(("127.0.0.1", 0), _Mail)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Mail(socketserver.StreamRequestHandler):
    server: MailSink

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 sink\r\n")


class WebSink(http.server.ThreadingHTTPServer):
    """Takes every POST; `bodies` has what came, `status` is what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Web)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Web(http.server.BaseHTTPRequestHandler):
    server: WebSink

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
        pass


@contextmanager
def serving(sink: S) -> Iterator[S]:
    with sink:
        thread = threading.Thread(target=sink.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            thread.join()
