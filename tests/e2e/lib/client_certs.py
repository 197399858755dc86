"""Certificates of clients: good ones, and ones with a single flaw each."""

import base64
import datetime
import ipaddress
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lib.net import tls_context

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def seconds(count):
    return datetime.timedelta(seconds=count)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def as_setting(data):
    """Inline, as the configuration wants it."""
    return base64.b64encode(data).decode()


def _alternative(name):
    kind, _, value = name.partition(":")
    if kind == "ip":
        return x509.IPAddress(ipaddress.ip_address(value))
    return {"dns": x509.DNSName, "email": x509.RFC822Name, "uri": x509.UniformResourceIdentifier}[kind](value)


@dataclass
class Issued:
    """A certificate with its key and the path of both; chain is what is sent behind it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cert_path: object = None
    key_path: object = None

    @property
    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def spki_hash(self):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        return base64.b64encode(digest.finalize()).decode()

    def context(self, ca):
        """To connect with; ca is the gateway's."""
        context = tls_context(ca)
        context.load_cert_chain(self.cert_path, self.key_path)
        return context

    def flags(self):
        """For pomerium-cli."""
        return ["--client-cert", self.cert_path, "--client-key", self.key_path]


class ClientAuthority:
    """Issues certificates for clients into a directory; with an issuer it is an intermediate CA."""

    def __init__(self, directory, name="client CA", issuer=None):
        self.directory = directory
        self.name = name
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder().subject_name(subject)
            .issuer_name(issuer.own.certificate.subject if issuer else subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now() - seconds(3600)).not_valid_after(now() + seconds(30 * 86400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        self.own = Issued(builder.sign(issuer.own.key if issuer else key, hashes.SHA256()), key)

    @property
    def setting(self):
        return as_setting(pem(self.own.certificate))

    def issue(self, name, *names, purpose=CLIENT, begins=-60, lasts=86400, chain=(), key=None):
        """begins and lasts are seconds from now; names are "dns:a.example", "email:...", "uri:...", "ip:..."."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.own.certificate.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now() + seconds(begins)).not_valid_after(now() + seconds(lasts))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), False)
        )
        if names:
            alternatives = [_alternative(alternative) for alternative in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        issued = Issued(builder.sign(self.own.key, hashes.SHA256()), key)
        issued.cert_path = self.directory / f"{self.name}-{name}.pem"
        issued.key_path = self.directory / f"{self.name}-{name}.key"
        issued.cert_path.write_bytes(pem(issued.certificate) + b"".join(pem(ca.own.certificate) for ca in chain))
        issued.key_path.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return issued

    def revocation_list(self, *revoked, age=0):
        """In PEM form; of a certain age in seconds, and good for a day."""
        made = now() - seconds(age)
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.own.certificate.subject)
            .last_update(made).next_update(made + seconds(86400))
        )
        for issued in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(issued.certificate.serial_number)
                .revocation_date(made).build())
        return builder.sign(self.own.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def open_with(gateway, name, issued):
    """A TLS connection to the gateway; issued None: without certificate."""
    context = issued.context(gateway.ca) if issued else tls_context(gateway.ca)
    return gateway.open(name, context=context)


def is_refused_in_handshake(gateway, name, issued):
    """Whether no request can be made at all: in TLS 1.3 the client learns of it when it reads."""
    try:
        with open_with(gateway, name, issued) as connection:
            connection.send(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.socket.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True
