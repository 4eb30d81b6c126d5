"""How the demo's base model is made. Nothing here runs when the demo does: see train_base.py."""
