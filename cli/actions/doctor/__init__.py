"""What `cancellist doctor` does: looks at the settings, the server and the platform, and says what must be mended."""
