"""A run seen from outside: its folder, journal, launch, status and control."""
