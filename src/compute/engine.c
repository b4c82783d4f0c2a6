#include "compute/engine.h"

/* Below this many multiply-adds a second thread costs more than it brings. */
enum { WORTH_SHARING = 1 << 16 };

ecdc_status engine_open(struct engine *engine, const ecdc_settings *settings, ecdc_error *err) {
    int n = settings->n_threads;
    if (n < 0 || n > 256)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_threads is %d, allowed are 1 to 256 (0: all processors)", n);
    if (settings->cpu < ECDC_CPU_AUTO || settings->cpu > ECDC_CPU_NEON)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "cpu is %d, no such kernels", (int)settings->cpu);
    const struct kernels *kernels = kernels_for(settings->cpu);
    if (!kernels)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "this processor or this build has no %s kernels; the best here are %s",
                         ecdc_cpu_name(settings->cpu), ecdc_cpu_name(ECDC_CPU_AUTO));
    struct pool *pool;
    ecdc_status status = pool_new(n ? n : pool_processors(), &pool, err);
    if (status == ECDC_OK)
        *engine = (struct engine){kernels, pool};
    return status;
}

void engine_close(struct engine *engine) {
    pool_free(engine->pool);
    engine->pool = NULL;
}

struct product_job {
    const struct kernels *kernels;
    const struct product *product;
    size_t rows;
    int parts;
    bool by_rows;
};

static void product_part(void *context, int part) {
    const struct product_job *job = context;
    size_t panels = job->product->m->panels;
    if (!job->by_rows) {
        struct range r = pool_share(panels, 1, part, job->parts);
        job->kernels->product(job->product, job->rows, r.begin, r.end);
        return;
    }
    struct range r = pool_share(job->rows, job->kernels->tile_rows, part, job->parts);
    struct product p = *job->product;
    for (int i = 0; i < 2; i++)
        if (p.in[i].taps)
            p.in[i].x += (ptrdiff_t)r.begin * p.in[i].ld;
    if (p.add)
        p.add += (ptrdiff_t)r.begin * p.ld_add;
    if (p.y)
        p.y += (ptrdiff_t)r.begin * p.ld_y;
    if (p.elu)
        p.elu += (ptrdiff_t)r.begin * p.ld_elu;
    job->kernels->product(&p, r.end - r.begin, 0, panels);
}

void engine_product(const struct engine *engine, const struct product *p, size_t rows) {
    int parts = pool_threads(engine->pool);
    if (parts == 1 || rows * p->m->k * p->m->n < WORTH_SHARING) {
        engine->kernels->product(p, rows, 0, p->m->panels);
        return;
    }
    bool by_rows = p->m->panels < (size_t)parts || rows >= 4 * engine->kernels->tile_rows * (size_t)parts;
    struct product_job job = {engine->kernels, p, rows, parts, by_rows};
    pool_run(engine->pool, product_part, &job);
}

struct lstm_job {
    const struct kernels *kernels;
    const struct recurrence *r;
    const float *x_gates, *h_prev;
    float *c, *h;
    bool backwards;
    int parts;
};

static void lstm_part(void *context, int part) {
    const struct lstm_job *job = context;
    struct range r = pool_share(job->r->groups, 1, part, job->parts);
    job->kernels->lstm_step(job->r, job->x_gates, job->h_prev, job->c, job->h, r.begin, r.end, job->backwards);
}

void engine_lstm_step(const struct engine *engine, const struct recurrence *r, const float *x_gates,
                      const float *h_prev, float *c, float *h, bool backwards) {
    int parts = pool_threads(engine->pool);
    if (parts == 1 || r->groups < 2 || 4 * r->size * r->size < WORTH_SHARING) {
        engine->kernels->lstm_step(r, x_gates, h_prev, c, h, 0, r->groups, backwards);
        return;
    }
    struct lstm_job job = {engine->kernels, r, x_gates, h_prev, c, h, backwards, parts};
    pool_run(engine->pool, lstm_part, &job);
}
