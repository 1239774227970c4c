"""Recorded days lived again through the public contracts, on the virtual clock."""
