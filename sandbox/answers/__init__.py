"""What the sandbox answers: texts, forms and bytes."""
