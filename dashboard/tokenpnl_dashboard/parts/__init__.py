"""The pieces that pages share: filters, cards, panels, the state of failure."""
