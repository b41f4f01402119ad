"""``python -m ez_rknn_async.simulator --control-fd 3``: the device process (started by the simulated runtime)."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys


def main() -> None:
    """Serves the host at the other end of the control socket until it closes."""
    parser = argparse.ArgumentParser(prog="python -m ez_rknn_async.simulator", description=__doc__)
    parser.add_argument("--control-fd", type=int, required=True, help="descriptor of the control socket")
    arguments = parser.parse_args()
    # Ctrl-C reaches the whole foreground group; whether the device goes is for the host to decide, by closing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # While a model is lowered, the threads that run others get the interpreter back soon (seconds).
    sys.setswitchinterval(0.0005)
    # The host's standard output is not ours to write to, whatever a library below may print.
    os.dup2(2, 1)
    control = socket.socket(fileno=arguments.control_fd)

    from .device import serve  # imports ONNX Runtime: after the signal is out of the way

    serve(control)
    # Other threads may be inside ONNX Runtime; none of them has anything left to save, and nobody waits for it.
    os._exit(0)


if __name__ == "__main__":
    main()
