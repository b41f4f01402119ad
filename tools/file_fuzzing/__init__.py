"""Damaged model files that know what they damage.

:mod:`.anatomy` finds every field of a good file; :mod:`.damage` makes variants that differ in a few of them, each the
same for the same seed; :mod:`.trial` opens and runs a variant as a program would and says how that ended; and
:mod:`.campaign` does so for thousands, in processes (:mod:`.worker`) that are watched and may crash.
"""
