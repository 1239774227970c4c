"""What puts load on a Dvor: shared by benchmarks and by tests of crowds."""
