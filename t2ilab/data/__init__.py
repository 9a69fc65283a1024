"""Pictures and captions: the drawn world, public data sets, and the one shape they all take."""

from t2ilab.data.captioned import CaptionedImages, to_float, to_uint8

__all__ = ["CaptionedImages", "to_float", "to_uint8"]
