"""The HTTP door: one frozen base and many modules behind the APIs that clients already speak."""
