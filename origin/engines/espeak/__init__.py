"""espeak-ng, out of a wheel: real speech on any CPU, over a hundred times faster than it is listened to."""
