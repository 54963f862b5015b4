"""What GPUs and commitments cost, and whom they served."""
