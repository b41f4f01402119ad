"""``python -m ez_rknn_async.simulator --control-fd 3``: the device process, with the search path that Python gives it."""

from .start import main

if __name__ == "__main__":
    main()
