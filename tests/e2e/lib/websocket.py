"""WebSockets by other people's libraries: websocket-client and websockets as the gateway's client, wsproto as our client's gateway."""

import socket
import ssl
import threading

import websocket
import wsproto
from websockets.sync import client as websockets_client
from wsproto import events

from lib.gateway import host


def path_to(name, port=6379):
    return f"/.well-known/masque/tcp/{host(name)}/{port}/"


def open_websocket(gateway, name="redis", port=6379, token=None, origin=None, path=None, **options):
    """A tunnel, or websocket.WebSocketBadStatusException."""
    return websocket.create_connection(
        f"wss://{host(name)}:{gateway.port}{path or path_to(name, port)}", socket=gateway.open(name).socket,
        header=[f"Authorization: Pomerium {token}"] if token else [], timeout=20,
        **({"origin": origin} if origin else {"suppress_origin": True}), **options)


def open_by_websockets(gateway, token=None, name="redis"):
    """The same by the library websockets, which answers pings and closes by itself."""
    return websockets_client.connect(
        f"ws://{host(name)}:{gateway.port}{path_to(name)}", sock=gateway.open(name).socket, proxy=None, open_timeout=20,
        additional_headers={"Authorization": f"Pomerium {token}"} if token else None)


class WebSocketServer:
    """Plays the gateway to our client: TLS, and one WebSocket at a time, whose messages come back reversed."""

    def __init__(self, certificate, accept=None):
        self.requests = []  # (target, headers)
        self.raw = b""  # all that came, decrypted
        self.accept = accept or (lambda request: events.AcceptConnection())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    connection.settimeout(20)
                    self.serve(connection)
            except OSError:
                pass

    def serve(self, connection):
        peer = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        while data := connection.recv(65536):
            self.raw += data
            peer.receive_data(data)
            for event in peer.events():
                if not self.answer(connection, peer, event):
                    return

    def answer(self, connection, peer, event):
        if isinstance(event, events.Request):
            self.requests.append((event.target, {name.decode().lower(): value.decode() for name, value in event.extra_headers}))
            connection.sendall(peer.send(self.accept(event)))
        elif isinstance(event, events.BytesMessage):
            connection.sendall(peer.send(events.Ping(b"there?")))
            connection.sendall(peer.send(events.BytesMessage(bytes(event.data[::-1]), message_finished=event.message_finished)))
        elif isinstance(event, events.CloseConnection):
            connection.sendall(peer.send(event.response()))
            return False
        return True

    def stop(self):
        self.listener.close()
