"""The ways in. Each knows the service, none knows another."""
