"""Before a run: the rules over the whole project, and the plan of what it will cost."""
