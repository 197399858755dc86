"""Further proxies of the comparison: Envoy, stunnel, Apache, and HAProxy without TLS, which is the floor."""

import json
import pathlib
import re
import shutil
import subprocess

from proxies import HAProxy, Proxy

ENVOY = next(pathlib.Path(__file__).resolve().parent.parent.glob(
    "build/bench-venv/lib/python3*/site-packages/envoy/_bin/envoy"), pathlib.Path("envoy"))


class Envoy(Proxy):
    """Ends TLS and CONNECT, as it does inside the reference system; its buffers as it ships them."""

    name = "envoy"
    has_connect = True
    program = ENVOY

    def command(self):
        files = {"certificate_chain": {"filename": str(self.certificate[0])},
                 "private_key": {"filename": str(self.certificate[1])}}
        http = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
                     ".HttpConnectionManager",
            "stat_prefix": "bench",
            "stream_idle_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT"}],
            "http_filters": [{"name": "router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{
                "match": {"connect_matcher": {}},
                "route": {"cluster": "server", "timeout": "0s",
                          "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}}]}]},
        }
        tls = {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
               "common_tls_context": {"alpn_protocols": ["http/1.1"], "tls_certificates": [files]}}
        most = {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}
        config = {"static_resources": {
            "listeners": [{"name": "tls", "address": _socket(self.port), "filter_chains": [{
                "transport_socket": {"name": "tls", "typed_config": tls},
                "filters": [{"name": "http", "typed_config": http}]}]}],
            "clusters": [{
                "name": "server", "type": "STATIC", "connect_timeout": "10s",
                "circuit_breakers": {"thresholds": [most]},
                "load_assignment": {"cluster_name": "server", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": _socket(self.upstream_port)}}]}]}}],
        }}
        path = self.write(f"envoy-{self.port}.json", json.dumps(config))
        return [self.program, "-c", path, "--concurrency", self.workers, "--disable-hot-restart", "-l", "warn"]

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program, "--version"], capture_output=True, text=True).stdout
        return "Envoy " + re.search(r"/(\d+\.\d+\.\d+)/", text)[1]


def _socket(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


class Stunnel(Proxy):
    """A thread for each connection; it has no number of workers."""

    name = "stunnel"
    program = pathlib.Path("/usr/bin/stunnel4")
    can_have_workers = False
    most_tunnels = 4000

    def command(self):
        config = self.write(f"stunnel-{self.port}.conf", f"""\
foreground = yes
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[bench]
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{self.upstream_port}
cert = {self.certificate[0]}
key = {self.certificate[1]}
sslVersionMin = TLSv1.2
""")
        return [self.program, config]

    @classmethod
    def version(cls):
        done = subprocess.run([cls.program, "-version"], capture_output=True, text=True)
        return re.search(r"stunnel [\d.]+", done.stdout + done.stderr)[0]


class Apache(Proxy):
    """mod_proxy_connect: a thread for each tunnel, all in one process with one worker."""

    name = "apache"
    has_connect = True
    program = pathlib.Path("/usr/sbin/apache2")
    most_tunnels = 1000
    MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "proxy", "proxy_connect")

    @property
    def connect_target(self):
        return f"127.0.0.1:{self.upstream_port}"

    def command(self):
        modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in self.MODULES)
        config = self.write(f"apache-{self.port}.conf", f"""\
{modules}
ServerName localhost
ServerRoot {self.directory}
PidFile {self.directory}/apache-{self.port}.pid
DefaultRuntimeDir {self.directory}
User www-data
Group www-data
ErrorLog {self.directory}/apache-error.log
LogLevel error
Listen 127.0.0.1:{self.port}
StartServers {self.workers}
ServerLimit {self.workers}
ThreadLimit 1100
ThreadsPerChild 1100
MaxRequestWorkers {1100 * self.workers}
MinSpareThreads 1
MaxSpareThreads {1100 * self.workers}
Timeout 3600
SSLSessionCache shmcb:{self.directory}/apache-{self.port}.cache(512000)
SSLEngine on
SSLCertificateFile {self.certificate[0]}
SSLCertificateKeyFile {self.certificate[1]}
ProxyRequests On
AllowCONNECT {self.upstream_port}
<Proxy "*">
    Require all granted
</Proxy>
""")
        return [self.program, "-DFOREGROUND", "-f", config]

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program, "-v"], capture_output=True, text=True).stdout
        return re.search(r"Apache/[\d.]+", text)[0]


class HAProxyPlain(HAProxy):
    """Without TLS: two copies, and nothing else."""

    name = "haproxy-plain"
    is_plain = True


def available(kind):
    return kind.program is None or shutil.which(kind.program) is not None
