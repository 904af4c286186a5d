"""What `cancellist doctor` does: it checks settings, server, platform and machine, and says what to fix."""
