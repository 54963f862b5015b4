"""What the same traffic would cost and how long it would take on servers of one's own, in a cloud, or on devices."""
