#include "compute/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Below this many multiply-adds a second thread costs more than it brings. */
enum { WORTH_SHARING = 1 << 16 };

ecdc_status engine_open(struct engine *engine, const ecdc_settings *settings, ecdc_error *err) {
    int n = settings->n_threads;
    if (n < 0 || n > 256)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_threads is %d, allowed are 1 to 256 (0: all processors)", n);
    if (settings->cpu < ECDC_CPU_AUTO || settings->cpu > ECDC_CPU_NEON)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "cpu is %d, no such kernels", (int)settings->cpu);
    if (settings->precision < ECDC_PRECISION_F32 || settings->precision > ECDC_PRECISION_BF16)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "precision is %d, no such numbers", (int)settings->precision);
    const struct kernels *kernels = kernels_for(settings->cpu, settings->precision);
    if (!kernels && settings->precision == ECDC_PRECISION_BF16 && settings->cpu != ECDC_CPU_AUTO)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "bf16 has one kind of kernels, of its own: leave the choice of %s kernels out",
                         ecdc_cpu_name(settings->cpu));
    if (!kernels && settings->precision == ECDC_PRECISION_BF16)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "bf16 needs a processor with AMX (amx_bf16 in /proc/cpuinfo), Linux 5.16 or newer "
                         "and a build for them; f32 runs here");
    if (!kernels)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "this processor or this build has no %s kernels; the best here are %s",
                         ecdc_cpu_name(settings->cpu), ecdc_cpu_name(ECDC_CPU_AUTO));
    struct pool *pool;
    ecdc_status status = pool_new(n ? n : pool_processors(), &pool, err);
    if (status != ECDC_OK)
        return status;
    *engine = (struct engine){.kernels = kernels, .pool = pool, .group = settings->group};
    size_t scratch = kernels->scratch_bytes * (size_t)pool_threads(pool); /* at most 256 threads */
    if (scratch && !(engine->scratch = (unsigned char *)ecdc_alloc_floats(scratch / sizeof(float)))) {
        pool_free(pool);
        *engine = (struct engine){0};
        return ecdc_fail_memory(err, "the kernels");
    }
    if (engine->group)
        group_join(engine->group);
    return ECDC_OK;
}

static void *scratch_of(const struct engine *engine, int part) {
    return engine->scratch ? engine->scratch + engine->kernels->scratch_bytes * (size_t)part : NULL;
}

void engine_close(struct engine *engine) {
    if (engine->group)
        group_leave(engine->group);
    pool_free(engine->pool);
    free(engine->scratch);
    *engine = (struct engine){0};
}

struct engine engine_of_thread(const struct engine *engine, int part) {
    return (struct engine){.kernels = engine->kernels, .scratch = scratch_of(engine, part)};
}

struct product_job {
    const struct engine *engine;
    const struct product *product;
    size_t rows;
    int parts;
    bool by_rows;
};

static void product_part(void *context, int part) {
    const struct product_job *job = context;
    const struct kernels *kernels = job->engine->kernels;
    void *scratch = scratch_of(job->engine, part);
    size_t panels = job->product->m->panels;
    if (!job->by_rows) {
        struct range r = pool_share(panels, 1, part, job->parts);
        kernels->product(job->product, job->rows, r.begin, r.end, scratch);
        return;
    }
    struct range r = pool_share(job->rows, kernels->tile_rows, part, job->parts);
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
    kernels->product(&p, r.end - r.begin, 0, panels, scratch);
}

void engine_product(const struct engine *engine, const struct product *p, size_t rows) {
    int parts = pool_threads(engine->pool);
    if (parts == 1 || rows * p->m->k * p->m->n < WORTH_SHARING) {
        engine->kernels->product(p, rows, 0, p->m->panels, engine->scratch);
        return;
    }
    bool by_rows = p->m->panels < (size_t)parts || rows >= 4 * engine->kernels->tile_rows * (size_t)parts;
    struct product_job job = {engine, p, rows, parts, by_rows};
    pool_run(engine->pool, product_part, &job);
}

struct lstm_job {
    const struct kernels *kernels;
    const struct recurrence *r;
    struct lstm_sequence sequence;
    bool backwards;
    int parts;
};

static void lstm_part(void *context, int part) {
    const struct lstm_job *job = context;
    struct range r = pool_share(job->r->groups, 1, part, job->parts);
    job->kernels->lstm_step(job->r, &job->sequence, 1, r.begin, r.end, job->backwards);
}

static void lstm_alone(const struct engine *engine, const struct lstm_run *run) {
    const struct recurrence *r = run->r;
    size_t units = r->groups * engine->kernels->group;
    struct lstm_job job = {.kernels = engine->kernels, .r = r, .parts = pool_threads(engine->pool)};
    bool share = job.parts > 1 && r->groups > 1 && 4 * r->size * r->size >= WORTH_SHARING;
    const float *h = run->h;
    for (size_t t = 0; t < run->steps; t++) {
        float *next = run->h_rows + t * units;
        job.sequence = (struct lstm_sequence){run->x_gates + t * 4 * units, h, run->c, next};
        job.backwards = t % 2;
        if (share)
            pool_run(engine->pool, lstm_part, &job);
        else
            engine->kernels->lstm_step(r, &job.sequence, 1, 0, r->groups, job.backwards);
        h = next;
    }
}

void engine_lstm(const struct engine *engine, struct lstm_run *run) {
    size_t units = run->r->groups * engine->kernels->group;
    if (run->steps == 0)
        return;
    if (engine->group)
        group_lstm(engine->group, engine->kernels, run);
    else
        lstm_alone(engine, run);
    memcpy(run->h, run->h_rows + (run->steps - 1) * units, units * sizeof *run->h);
}
