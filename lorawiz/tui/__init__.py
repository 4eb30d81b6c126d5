"""What a person sees and presses: apps, screens, widgets; no domain work."""
