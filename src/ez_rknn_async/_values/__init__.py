"""Values that programs hold and bind: OrtValue, IO binding, and who is using what."""
