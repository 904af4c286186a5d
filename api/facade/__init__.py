"""The platform's own two calls that cancel, made durable."""
