"""The program around the library: its threads or greenlets, its process and paths, its callbacks."""
