"""Fill a disk up."""


def fill(path, piece):
    """Write to `path` in pieces until the disk is full."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(piece)):
                continue
        except OSError:
            return
