# SPDX-License-Identifier: Apache-2.0
"""The stress machine: many threads, driven by one seed, that use every feature of a session at once.

* ``samples``      inputs of a model, each with the outputs that it must give
* ``ledger``       every accepted task, and its end
* ``order``        the order of callbacks: that of submission
* ``scenario``     the definition of one round: models, options, faults, frequencies of operations; drawn from the seed
* ``sessions``     those of a round, and their replacement
* ``operations/``  the operations of a thread: run, submit, cancel, bind, close, reset ...
* ``jitter``       pauses at random lines of the package, to provoke races
* ``resources``    threads, file descriptors, memory and contexts of the process
* ``watchdog``     ends a process that hangs, and prints where
* ``machine``      a round: all threads at once, then everything must have ended and nothing be left
* ``report``       the results, as tables

``python -m tests.stress --minutes 5`` runs it; ``docs/explanation/stress.md`` says what it proves.
"""
