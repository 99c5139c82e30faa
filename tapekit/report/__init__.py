"""What a person and a monitoring system hear of a night: one value, and the forms it takes."""
