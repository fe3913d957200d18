"""Starts a command and prints how many milliseconds pass until HOST:PORT answers a request with 200.

usage: startup.py HOST:PORT COMMAND...

The command is stopped again. A shell is too slow a clock for this: the whole thing takes tens of milliseconds.
"""

import signal
import socket
import subprocess
import sys
import time

GIVE_UP_SECONDS = 10.0
RETRY_SECONDS = 0.0005


def answers(address, host_header):
    """One request; true when the status line says 200."""
    try:
        with socket.create_connection(address, timeout=GIVE_UP_SECONDS) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host_header}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(12).endswith(b" 200")
    except OSError:
        return False


def main():
    # Being told to stop must not leave the child behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    host_header, command = sys.argv[1], sys.argv[2:]
    host, port = host_header.rsplit(":", 1)
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while not answers((host, int(port)), host_header):
            if child.poll() is not None:
                sys.exit(f"the command ended with {child.returncode}")
            if time.monotonic() - start > GIVE_UP_SECONDS:
                sys.exit(f"no answer within {GIVE_UP_SECONDS} s")
            time.sleep(RETRY_SECONDS)
        print(f"{(time.monotonic() - start) * 1000:.1f}")
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=GIVE_UP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    main()
