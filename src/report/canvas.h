/* A picture to draw on: rectangles and text. */
#ifndef ECDC_REPORT_CANVAS_H
#define ECDC_REPORT_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct colour {
    uint8_t r, g, b;
};

enum face { FACE_REGULAR, FACE_BOLD }; /* 20 and 26 pixels */
enum anchor { ANCHOR_LEFT, ANCHOR_MIDDLE, ANCHOR_RIGHT };

struct canvas {
    int width, height;
    uint8_t *rgb;     /* rgb[(y * width + x) * 3 + channel] */
    uint8_t *letters; /* tools/make_font.py */
};

ecdc_status canvas_init(struct canvas *c, int width, int height, struct colour background, ecdc_error *err);
void canvas_free(struct canvas *c);
/* What lies outside is cut off. */
void canvas_fill(struct canvas *c, int x, int y, int width, int height, struct colour colour);
/* UTF-8; what the face does not have (all but ASCII) is shown as a question mark.
 * @param middle_y  where the middle of small letters goes */
void canvas_text(struct canvas *c, int x, int middle_y, enum anchor anchor, enum face face, struct colour colour,
                 const char *text);
int canvas_text_width(const struct canvas *c, enum face face, const char *text);

#endif
