# SPDX-License-Identifier: Apache-2.0
"""The deployment of a session: its model, opened on a provider with options, and exchanged as a whole."""

from __future__ import annotations

import logging
import threading
import weakref
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._observing.health import SessionHealth
from .._options.log_severity import DEFAULT, set_default_logger_severity
from .._options.provider_options import ProviderOptions
from .._options.providers import choose, warn_of_simulation, warn_of_skipped
from .._options.session_options import SessionOptions
from ..errors import RknnClosedError
from .retry import retried

if TYPE_CHECKING:
    from .._contexts.model_source import ModelSource, PathOrBytes
    from .._observing.profiling import Profiler
    from .._options.providers import ProviderOptionsLike, Providers
    from .._options.session_options import SessionOptionsLike
    from .executor import Executor
    from .opening import Loaded, Opened

    _Target = tuple[Optional[str], ProviderOptions, Optional[Loaded]]

logger = logging.getLogger("ez_rknn_async")


class Deployment:
    """Opens a model, opens it again for another provider or other options, and closes it.

    Attributes:
        executor: runs the model.
        provider: the provider that runs it.
        options: that provider's options in force.
        session_options: those in force, for the life of the session.
        metadata: the model's.
        profiler: records a profile, if the session options ask for one.
    """

    def __init__(
        self,
        path_or_bytes: PathOrBytes,
        sess_options: SessionOptionsLike,
        providers: Providers,
        provider_options: ProviderOptionsLike,
        lender: Callable[[], Executor | None],
    ) -> None:
        """Open a model; the arguments are those of ``InferenceSession``.

        ``lender`` returns the executor of the session given as ``use_weight_from``, or None.
        """
        self._lender = lender
        self.session_options = SessionOptions.of(sess_options)
        if self.session_options.log_severity_level != DEFAULT:
            set_default_logger_severity(self.session_options.log_severity_level)
        self._exchanging = threading.RLock()  # one exchange at a time; a signal handler may begin one inside another
        self._exchanges = self._last_exchange = 0  # count of those begun; number of the last one that succeeded
        self._state = threading.Lock()  # guards what _enter() sets, against a concurrent exchange
        # Not above: reading models and opening contexts is half of the package, and not every import opens a session.
        from .._contexts.model_source import ModelSource

        wanted, options = _chosen(providers, provider_options)
        self._source = ModelSource.of(path_or_bytes)  # let go by _close()
        try:
            self._enter(self._open(wanted, options), wanted, options)
        except BaseException:
            self._source.let_go()
            raise

    def __str__(self) -> str:
        cores = ", ".join(f"[{cores}]" if "," in cores else cores for cores in self.executor.cores)
        state = self.executor.state() if self._finalizer.alive else "closed"
        return f"{self._source} on {self.provider}, cores {cores}: {state}"

    @property
    def model_path(self) -> str | None:
        """The path that the model was opened by; None for bytes."""
        return self._source.name

    def provider_options(self) -> dict[str, dict[str, Any]]:
        """Return the options in force by provider, as a new dictionary."""
        return {self.provider: asdict(self.options)}

    def set_providers(self, providers: Providers, provider_options: ProviderOptionsLike) -> None:
        """Open the model again, for another provider or with other options."""
        wanted, options = _chosen(providers, provider_options)
        self._exchange(lambda: (wanted, options, None))

    def reset(self) -> None:
        """Open the model again, with the provider and options in force."""
        self._exchange(lambda: (self._wanted, self.options, self._loaded), may_join=True)

    def close(self, *, cancel: bool) -> None:
        """Deliver what was accepted, or cancel it, and end everything. May be called twice."""
        with self._state:
            ending = self._finalizer.detach()
            executor = self.executor
        if cancel:
            executor.close(cancel=True, patient=False)
        if ending is not None:
            _close(*ending[2], patient=False)

    def _open(self, provider: str | None, options: ProviderOptions, loaded: Loaded | None = None) -> Opened:
        from .opening import open_model

        return open_model(self._source, provider, options, self.session_options, self._lender(), loaded)

    def _enter(self, opened: Opened, wanted: str | None, options: ProviderOptions) -> None:
        """Run on ``opened`` from now on."""
        self._wanted, self.options = wanted, options
        self.executor, self.provider, self.metadata, self.profiler, self._loaded = opened
        # Runs when the session is dropped, or else before the interpreter ends.
        self._finalizer = weakref.finalize(self, _close, self._source, self.executor, self.profiler)

    def _exchange(self, choose_target: Callable[[], _Target], *, may_join: bool = False) -> None:
        """Open the model again for the chosen provider and options, and end the former executor.

        With ``may_join``, an exchange that begins after this call and succeeds counts as this one.
        """
        begun = self._exchanges
        with self._exchanging:
            if may_join and self._last_exchange > begun:
                return
            self._exchanges += 1
            number = self._exchanges
            wanted, options, loaded = choose_target()
            if not self._finalizer.alive:
                raise RknnClosedError("the session is closed")
            opened = self._open(wanted, options, loaded)
            with self._state:
                former = self._finalizer.detach()
                if former is not None:
                    self._enter(opened, wanted, options)
                    self._last_exchange = number
        # Outside the lock: the former executor may be delivering to a callback that starts an exchange, too.
        if former is None:  # closed meanwhile
            _end(opened.executor, opened.profiler, patient=False)
            raise RknnClosedError("the session is closed")
        _, executor, profiler = former[2]
        _end(executor, profiler, patient=False)


def read_health(session: Any) -> SessionHealth:
    """Return the health of a session's workers; of none once it is closed."""
    try:
        return _read_health(session)
    except RknnClosedError:
        return SessionHealth(())


@retried
def _read_health(session: Any) -> SessionHealth:
    health: SessionHealth = session._deployment.executor.health()
    return health


def _chosen(providers: Providers, provider_options: ProviderOptionsLike) -> tuple[str | None, ProviderOptions]:
    """Return the provider that the user asks for, if any, and its options."""
    provider, given = choose(providers, provider_options)
    options = ProviderOptions.parse(given)
    warn_of_skipped(providers)
    warn_of_simulation(providers, options.runtime_library)
    return provider, options


def _close(source: ModelSource, executor: Executor, profiler: Profiler | None, *, patient: bool = True) -> None:
    try:
        _end(executor, profiler, patient=patient)
    finally:
        source.let_go()


def _end(executor: Executor, profiler: Profiler | None, *, patient: bool) -> None:
    executor.close(patient=patient)
    if profiler is not None:
        try:
            profiler.end()
        except OSError:
            logger.exception("the profile could not be written")
