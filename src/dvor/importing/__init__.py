"""Files of other systems turned into listings: reading them, and bringing them in by contract."""
