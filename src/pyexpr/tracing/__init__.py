"""What happens along a trajectory, and what follows from it."""
