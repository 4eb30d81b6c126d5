"""The wizard: the steps of the job in a rail, and at each what there is to do."""
