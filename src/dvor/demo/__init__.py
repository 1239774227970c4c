"""The demo world: five people and what they sell, for a first look around."""
