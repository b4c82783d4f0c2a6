#include "report/canvas.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/embed.h"
#include "base/memory.h"

#ifndef ECDC_REPORT_FONT
#error "canvas.c needs ECDC_REPORT_FONT, the path of font.bin"
#endif

EMBED(ecdc_report_font, ECDC_REPORT_FONT);

enum { FIRST = ' ', N_LETTERS = 95, MAX_FONT_BYTES = 1 << 20, HEAD = 3 };

/* A face inside the unpacked file. */
struct letters {
    int width, height, baseline;
    const uint8_t *advances, *coverage;
};

static struct letters find_face(const struct canvas *c, enum face face) {
    const uint8_t *at = c->letters;
    for (int i = 0; i < (int)face; i++)
        at += HEAD + N_LETTERS + N_LETTERS * at[0] * at[1];
    return (struct letters){at[0], at[1], at[2], at + HEAD, at + HEAD + N_LETTERS};
}

ecdc_status canvas_init(struct canvas *c, int width, int height, struct colour background, ecdc_error *err) {
    *c = (struct canvas){width, height, ecdc_alloc_array((size_t)width * (size_t)height, 3), ecdc_alloc_zeros(MAX_FONT_BYTES, 1)};
    if (!c->rgb || !c->letters)
        return ecdc_fail_memory(err, "a picture");
    uLongf n = MAX_FONT_BYTES;
    uLong packed = (uLong)(ecdc_report_font_end - ecdc_report_font);
    if (uncompress(c->letters, &n, (const Bytef *)ecdc_report_font, packed) != Z_OK)
        return ecdc_fail_memory(err, "the letters of a picture"); /* the file is ours: it fails for nothing else */
    canvas_fill(c, 0, 0, width, height, background);
    return ECDC_OK;
}

void canvas_free(struct canvas *c) {
    free(c->rgb);
    free(c->letters);
}

void canvas_fill(struct canvas *c, int x, int y, int width, int height, struct colour colour) {
    int right = x + width < c->width ? x + width : c->width, bottom = y + height < c->height ? y + height : c->height;
    for (int row = y > 0 ? y : 0; row < bottom; row++)
        for (int column = x > 0 ? x : 0; column < right; column++)
            memcpy(c->rgb + ((size_t)row * (size_t)c->width + (size_t)column) * 3, &colour, 3);
}

/* The letter at *s, of which one UTF-8 character is passed. */
static int next_letter(const char **s) {
    unsigned char byte = (unsigned char)*(*s)++;
    while (byte >= 0x80 && ((unsigned char)**s & 0xC0) == 0x80)
        (*s)++;
    return byte >= FIRST && byte < FIRST + N_LETTERS ? byte - FIRST : '?' - FIRST;
}

int canvas_text_width(const struct canvas *c, enum face face, const char *text) {
    struct letters f = find_face(c, face);
    int width = 0;
    while (*text)
        width += f.advances[next_letter(&text)];
    return width;
}

static void blend(uint8_t *pixel, struct colour colour, int coverage) {
    const uint8_t ink[3] = {colour.r, colour.g, colour.b};
    for (int k = 0; k < 3; k++)
        pixel[k] = (uint8_t)((pixel[k] * (255 - coverage) + ink[k] * coverage + 127) / 255);
}

static void draw_letter(struct canvas *c, const struct letters *f, int x, int y, struct colour colour, int letter) {
    const uint8_t *cell = f->coverage + letter * f->width * f->height;
    for (int row = 0; row < f->height; row++)
        for (int column = 0; column < f->width; column++) {
            int px = x + column, py = y + row, coverage = cell[row * f->width + column];
            if (coverage && px >= 0 && px < c->width && py >= 0 && py < c->height)
                blend(c->rgb + ((size_t)py * (size_t)c->width + (size_t)px) * 3, colour, coverage);
        }
}

void canvas_text(struct canvas *c, int x, int middle_y, enum anchor anchor, enum face face, struct colour colour,
                 const char *text) {
    struct letters f = find_face(c, face);
    int width = canvas_text_width(c, face, text);
    x -= anchor == ANCHOR_RIGHT ? width : anchor == ANCHOR_MIDDLE ? width / 2 : 0;
    int top = middle_y - f.baseline * 2 / 3; /* a figure's middle: a third of the ascent above the baseline */
    while (*text) {
        int letter = next_letter(&text);
        draw_letter(c, &f, x, top, colour, letter);
        x += f.advances[letter];
    }
}
