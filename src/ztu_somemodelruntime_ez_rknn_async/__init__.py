"""The documented import name of the API that this package implements: everything is ``ez_rknn_async``'s."""

from ez_rknn_async import *
from ez_rknn_async import __all__, __version__

# What programs written for this import name may also ask for.
make_rknpu2_provider_options = make_provider_options  # noqa: F405
