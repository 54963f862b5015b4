"""What the business got, and what one success costs."""
