#include "bench_profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "json_out.h"

enum { MAX_LINES = 2 * ARCHITECTURE_MAX_LAYERS + 3 };

struct line {
    const char *layer; /* its name in the model's files; "quantizer", "other", "all" */
    char what[64];
    double macs, seconds; /* multiply-adds per second of sound; time measured */
};

ecdc_status network_profile_init(struct network_profile *p, ecdc_error *err) {
    p->profile.stages = ecdc_alloc_zeros((size_t)p->layers.n_layers, sizeof *p->profile.stages);
    return p->profile.stages ? ECDC_OK : ecdc_fail_memory(err, "a profile");
}

void network_profile_free(struct network_profile *p) {
    free(p->profile.stages);
}

static void describe_conv(const struct conv_spec *c, const char *kind, struct line *line) {
    int n = snprintf(line->what, sizeof line->what, "%s %d -> %d, kernel %d", kind, c->in, c->out, c->kernel);
    if (c->stride > 1 && n < (int)sizeof line->what)
        snprintf(line->what + n, sizeof line->what - (size_t)n, ", stride %d", c->stride);
}

/* The one or two lines of a layer. */
static int layer_lines(const struct layer_spec *l, const struct stage_profile *profile, double *rate_hz, struct line *lines) {
    double macs[2];
    layer_multiply_adds(l, rate_hz, macs);
    int n = l->kind == LAYER_RESIDUAL || l->kind == LAYER_LSTM ? 2 : 1;
    for (int i = 0; i < n; i++)
        lines[i] = (struct line){.layer = l->conv.name, .macs = macs[i], .seconds = profile->part_s[i]};
    switch (l->kind) {
    case LAYER_CONV: describe_conv(&l->conv, "convolution", lines); break;
    case LAYER_CONV_TRANSPOSE: describe_conv(&l->conv, "transposed", lines); break;
    case LAYER_RESIDUAL:
        lines[0].layer = l->residual.narrow.name;
        lines[1].layer = l->residual.widen.name;
        describe_conv(&l->residual.narrow, "residual", &lines[0]);
        describe_conv(&l->residual.widen, l->residual.shortcut.out ? "residual with shortcut" : "residual", &lines[1]);
        break;
    case LAYER_LSTM:
        lines[0].layer = lines[1].layer = l->lstm.name;
        snprintf(lines[0].what, sizeof lines[0].what, "LSTM %d x %d, from the input", l->lstm.n_layers, l->lstm.size);
        snprintf(lines[1].what, sizeof lines[1].what, "LSTM %d x %d, recurrent", l->lstm.n_layers, l->lstm.size);
        break;
    }
    return n;
}

/* Every layer, then the quantizer, what is left, and the sum. */
static int profile_lines(const struct network_profile *p, struct line *lines) {
    int n = 0;
    double rate_hz = p->rate_hz, seconds = 0, macs = 0;
    for (int i = 0; i < p->layers.n_layers; i++)
        n += layer_lines(&p->layers.layers[i], &p->profile.stages[i], &rate_hz, &lines[n]);
    struct line *quantizer = &lines[n++];
    *quantizer = (struct line){.layer = "quantizer", .macs = p->quantizer_macs, .seconds = p->profile.quantizer_s};
    snprintf(quantizer->what, sizeof quantizer->what, "%d codebook%s", p->n_codebooks, p->n_codebooks == 1 ? "" : "s");
    for (int i = 0; i < n; i++) {
        seconds += lines[i].seconds;
        macs += lines[i].macs;
    }
    lines[n++] = (struct line){.layer = "other", .what = "rows moved, padding, sums", .seconds = p->wall_s - seconds};
    lines[n++] = (struct line){.layer = "all", .macs = macs, .seconds = p->wall_s};
    return n;
}

static double gflops(const struct network_profile *p, const struct line *line) {
    return line->seconds > 0 ? 2 * line->macs * p->sound_s / line->seconds / 1e9 : 0;
}

void network_profile_print(const struct network_profile *p, double peak) {
    struct line lines[MAX_LINES];
    int n = profile_lines(p, lines);
    printf("\n%-30s %-45s %8s %8s %8s %8s\n", p->name, "", "ms/s", "% time", "GFLOP/s", "% peak");
    for (int i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        printf("%-30s %-45s %8.3f %8.1f", l->layer, l->what, 1e3 * l->seconds / p->sound_s, 100 * l->seconds / p->wall_s);
        if (l->macs > 0)
            printf(" %8.1f %8.1f", gflops(p, l), 100 * gflops(p, l) / peak);
        putchar('\n');
    }
}

void network_profile_to_json(const struct network_profile *p, double peak, cJSON *object) {
    struct line lines[MAX_LINES];
    int n = profile_lines(p, lines);
    cJSON *array = json_put_list(object, p->name);
    for (int i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        cJSON *item = cJSON_CreateObject();
        json_put_string(item, "layer", l->layer);
        json_put_string(item, "what", l->what);
        json_put_number(item, "ms_per_s", 1e3 * l->seconds / p->sound_s);
        json_put_number(item, "share_of_time", l->seconds / p->wall_s);
        json_put_number(item, "gflops", gflops(p, l));
        json_put_number(item, "share_of_peak", gflops(p, l) / peak);
        json_append(array, item);
    }
}
