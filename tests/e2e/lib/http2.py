"""HTTP/2 as the peer of the gateway and of the client: whole frames of one's own choice, by the h2 library."""

import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from lib.gateway import host
from lib.net import Connection


class Http2:
    """A client's connection to the gateway. Events are kept until a test asks for them."""

    def __init__(self, gateway, name="redis", timeout=20, window=None, announce=True):
        self.connection = Connection(gateway.port, host(name), gateway.ca, timeout, alpn=("h2",))
        self.socket = self.connection.socket
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False))
        if window is not None:
            self.h2.local_settings[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.events = []
        self.raw = b""  # all that came
        if announce:
            self.h2.initiate_connection()
            self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        """False: the gateway does not listen any more."""
        try:
            self.socket.sendall(self.h2.data_to_send())
        except OSError:
            return False
        return True

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def receive(self):
        """One piece from the gateway, taken apart. False: there is no more."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        if not data:
            return False
        self.raw += data
        self.events += self.h2.receive_data(data)
        self.flush()
        return True

    def wait(self, kind, stream=None):
        """The next event of that kind (of that stream), taken out of the others."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream is None or event.stream_id == stream):
                    self.events.remove(event)
                    return event
            assert self.receive(), f"the connection ended without {kind.__name__}: {self.events}"

    def request(self, headers, end=True):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=end)
        self.flush()
        return stream

    def ask(self, path, name="redis", method="GET", headers=()):
        stream = self.request([(":method", method), (":scheme", "https"), (":authority", host(name)), (":path", path),
                               *headers])
        return self.answer(stream)

    def answer(self, stream):
        event = self.wait(h2.events.ResponseReceived, stream)
        return {name.decode(): value.decode() for name, value in event.headers}

    def connect(self, name="redis", port=6379, token=None, headers=()):
        """Asks for a tunnel; the answer comes separately."""
        credentials = [("authorization", f"Pomerium {token}")] if token else []
        return self.request([(":method", "CONNECT"), (":authority", f"{host(name)}:{port}"), *credentials, *headers],
                            end=False)

    def tunnel(self, *arguments, **options):
        stream = self.connect(*arguments, **options)
        answer = self.answer(stream)
        assert answer[":status"] == "200", answer
        return stream

    def send(self, stream, data, end=False):
        """All of it, as the windows allow."""
        while data:
            size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if size == 0:
                assert self.receive()
                continue
            self.h2.send_data(stream, data[:size])
            data = data[size:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def read(self, stream, size):
        """So many bytes of a tunnel; the window is given back."""
        data = b""
        while len(data) < size:
            event = self.wait(h2.events.DataReceived, stream)
            data += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                self.flush()
        return data

    def goaway_code(self):
        """Reads to the end, whatever it is: with what GOAWAY the gateway has gone. None: without."""
        while data := self.connection.receive():
            self.raw += data
        rest = self.raw
        while len(rest) >= 9:
            size = int.from_bytes(rest[:3], "big")
            if rest[3] == 7:  # GOAWAY
                return int.from_bytes(rest[13:17], "big")
            rest = rest[9 + size:]
        return None


class Http2Server:
    """A gateway played by a test: answers CONNECT as told, and echoes. One thread for each connection."""

    def __init__(self, certificate, alpn=("h2",), status=200, refuse=False, goaway_after=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        self.context.set_alpn_protocols(list(alpn))
        self.status = status
        self.refuse = refuse
        self.goaway_after = goaway_after
        self.protocols = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()
        for each in self.sockets:
            each.close()

    def _accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        try:
            connection = self.context.wrap_socket(raw, server_side=True)
            self.sockets.append(connection)
            self.protocols.append(connection.selected_alpn_protocol())
            if self.protocols[-1] == "h2":
                self._serve_h2(connection)
            else:
                self._serve_h1(connection)
        except OSError:
            pass

    def _serve_h1(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-pomerium-half-close: ?1\r\n\r\n")
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()

    def _serve_h2(self, connection):
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        session.initiate_connection()
        connection.sendall(session.data_to_send())
        while data := connection.recv(65536):
            for event in session.receive_data(data):
                self._handle(session, event)
            connection.sendall(session.data_to_send())
        connection.close()

    def _handle(self, session, event):
        if isinstance(event, h2.events.RequestReceived):
            self._answer(session, event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            session.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            session.send_data(event.stream_id, event.data)
        elif isinstance(event, h2.events.StreamEnded):
            session.end_stream(event.stream_id)

    def _answer(self, session, stream):
        if self.refuse:
            session.reset_stream(stream, h2.errors.ErrorCodes.PROTOCOL_ERROR)
            return
        headers = [(":status", str(self.status)), ("x-pomerium-half-close", "?1")]
        session.send_headers(stream, headers, end_stream=self.status != 200)
        if self.goaway_after == stream:
            # h2 would forbid itself to go on: the frame as it is.
            frame = h2.connection.GoAwayFrame(stream_id=0, last_stream_id=stream)
            session._data_to_send += frame.serialize()
