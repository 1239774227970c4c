"""The services. Strangers to each other: they meet through contracts only."""
