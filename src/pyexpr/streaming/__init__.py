"""The regions along a trajectory, block by block, however many there are."""
