# SPDX-License-Identifier: Apache-2.0
"""Structure-aware fuzzing of model files.

:mod:`.anatomy` finds every field of a good file; :mod:`.damage` makes variants that differ in a few of them, each the
same for the same seed; :mod:`.trial` opens and runs a variant as a program would and classifies the outcome; and
:mod:`.campaign` does so for thousands, in watched processes (:mod:`.worker`) that may crash.
"""
