"""The stress machine: many threads, driven by one seed, that do everything that a session can do, at once.

* ``samples``      inputs of a model, each with the outputs that it must give
* ``ledger``       every task that was accepted, and how it ended
* ``order``        whether callbacks come in the order of submission
* ``scenario``     what one round is: models, options, faults, how often each operation; drawn from the seed
* ``stage``        the sessions of a round, and who has ended or exchanged them
* ``operations/``  what a thread can do: run, submit, cancel, bind, close, reset ...
* ``jitter``         pauses at random lines of the package, where races are
* ``resources``    threads, file descriptors, memory and contexts of the process
* ``watchdog``     ends a process that hangs, and says where
* ``machine``      a round: all threads at once, then everything must have ended and nothing be left
* ``report``       what was done, as a table

``python -m tests.stress --minutes 5`` runs it; ``docs/explanation/stress.md`` says what it proves.
"""
