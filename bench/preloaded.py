"""What only the gateway itself can say: the bytes its heap has in use, and how often it has taken a lock (preload.c)."""

import socket


def environment(build, directory):
    """With this a gateway is started that shall be asked."""
    library = build / "bench" / "bench-preload.so"
    if not library.exists():
        raise SystemExit(f"bench: {library} is not built")
    return {"LD_PRELOAD": str(library), "BENCH_PRELOAD": str(directory / "preload.sock")}


def ask(directory):
    """(bytes of the heap in use, locks taken since the start)"""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(directory / "preload.sock"))
        heap, locks = connection.makefile().readline().split()
        return int(heap), int(locks)
