"""What edge and origin agree on."""
