"""The largest items that are taken, everywhere. Imports nothing: the process that decodes pictures stays small."""

#: Largest picture that is decoded, in pixels (width times height).
MAX_PIXELS = 50_000_000
#: Longest side of a picture over its shortest: encoders resize the shortest to theirs, and the longest grows with it.
MAX_ASPECT_RATIO = 50
#: Longest text that is taken, in characters; encoders read the beginning of long ones only.
MAX_CHARACTERS = 100_000
#: Longest embedding that is taken, in numbers.
MAX_EMBEDDING_WIDTH = 16_384
#: What decoding one picture may take by default: bytes of memory, and seconds of computing.
DECODING_MEMORY_BYTES = 1536 * 1024**2
DECODING_CPU_SECONDS = 20
#: Largest file in an archive, in bytes; most entries of an archive; most bytes that it unpacks to for each of its own.
MAX_ITEM_BYTES = 64 * 1024**2
MAX_ARCHIVE_ENTRIES = 1_000_000
MAX_ARCHIVE_RATIO = 200.0
