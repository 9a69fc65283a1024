"""What files must look like: a schema for each kind of JSON file that is read, in one place.

What the package writes for itself and reads back, and what a teacher edits, is checked here before
anything is done with it: unknown names, wrong types, numbers out of range, nesting and length are
refused with file and field. The shapes are `msgspec` structs; `reading.read` is the one way in.
"""

from t2ilab.schemas.reading import Strict, decode, read, to_dict

__all__ = ["Strict", "decode", "read", "to_dict"]
