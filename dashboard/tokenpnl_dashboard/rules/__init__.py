"""What a home decides: its rule files, and the prices and definitions that they put in force."""
