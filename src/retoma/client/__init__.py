"""The Python faces: `Client` and `Session`, and their asynchronous twins. They make commands and show their results."""
