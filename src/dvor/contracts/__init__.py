"""What each service promises: messages, errors, events and a Protocol. No I/O."""
