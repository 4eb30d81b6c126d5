"""The tags of a whole dataset: counted, looked through, changed in bulk, made into rules."""
