/* The figure of a report: waveforms, spectrograms and codes over one time axis, with the measures. */
#ifndef ECDC_REPORT_FIGURE_H
#define ECDC_REPORT_FIGURE_H

#include "media/output.h"
#include "report/material.h"

/* As PNG, 1600 pixels wide. */
ecdc_status figure_write(struct output *o, const struct report_material *m, ecdc_error *err);

#endif
