#!/usr/bin/env python3
"""Renders the letters of `ecdc report`'s figures: src/report/font.bin, from DejaVu Sans (Debian's fonts-dejavu-core; Pillow).

Usage: tools/make_font.py src/report/font.bin

zlib-compressed, for each of two faces (regular 20 pixels, bold 26): one byte each for the cell's width, its height and the baseline's
row; 95 bytes with the advance of each character from space to tilde; 95 cells of coverage, row by row, 0 ... 255.
"""
import sys
import zlib

from PIL import Image, ImageDraw, ImageFont

FOLDER = "/usr/share/fonts/truetype/dejavu/"
FACES = [("DejaVuSans.ttf", 20), ("DejaVuSans-Bold.ttf", 26)]
CHARACTERS = [chr(c) for c in range(32, 127)]


def face(name, size):
    font = ImageFont.truetype(FOLDER + name, size)
    ascent, descent = font.getmetrics()
    width = max(font.getbbox(c)[2] for c in CHARACTERS) + 1
    height = ascent + descent
    cells = b""
    for c in CHARACTERS:
        cell = Image.new("L", (width, height), 0)
        ImageDraw.Draw(cell).text((0, 0), c, 255, font=font)
        cells += cell.tobytes()
    return bytes([width, height, ascent]) + bytes(round(font.getlength(c)) for c in CHARACTERS) + cells


with open(sys.argv[1], "wb") as out:
    out.write(zlib.compress(b"".join(face(*f) for f in FACES), 9))
