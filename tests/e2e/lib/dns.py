"""A name server that answers A and AAAA questions from a table, and notes what it was asked for."""

import ipaddress
import random
import socket
import struct
import threading

TYPES = {1: "A", 28: "AAAA"}
ANSWER = 0x8180  # a response; recursion was desired and is available
NO_SUCH_NAME = 3


def _question(packet):
    """(name in lower case, type, where the question ends)"""
    labels, at = [], 12
    while length := packet[at]:
        labels.append(packet[at + 1:at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), struct.unpack("!H", packet[at + 1:at + 3])[0], at + 5


class NameServer:
    """names: name -> addresses as text, of both families. It has an address of its own on loopback, and port 53."""

    def __init__(self, names):
        self.names = names
        self.asked = []  # of (name, type)
        self.address, self.socket = self._bind()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @staticmethod
    def _bind():
        while True:
            address = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.53"
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                s.bind((address, 53))
            except OSError:
                s.close()
                continue
            return address, s

    def _serve(self):
        while True:
            packet, peer = self.socket.recvfrom(2048)
            if not packet:
                return
            self.socket.sendto(self._answer(packet), peer)

    def _answer(self, packet):
        name, kind, end = _question(packet)
        self.asked.append((name, TYPES.get(kind, str(kind))))
        version = {"A": 4, "AAAA": 6}.get(TYPES.get(kind))
        addresses = [ipaddress.ip_address(text) for text in self.names.get(name, [])]
        chosen = [address.packed for address in addresses if address.version == version]
        status = 0 if name in self.names else NO_SUCH_NAME
        head = packet[:2] + struct.pack("!HHHHH", ANSWER | status, 1, len(chosen), 0, 0)
        rows = [struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(raw)) + raw for raw in chosen]
        return head + packet[12:end] + b"".join(rows)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", (self.address, 53))
        self.thread.join(10)
        self.socket.close()
